//! What a folder's own files are.

use super::family::Family;
use crate::crawl::{Folder, Recognized, Skipped};
use millrace_catalog::model::TableGrouping;
use object_store::ObjectMeta;
use std::collections::HashMap;

/// A file that was looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) object: &'a ObjectMeta,
    pub(super) recognized: &'a Recognized,
}

/// Files of one family in one folder.
#[derive(Debug, Clone)]
pub(super) struct Data<'a> {
    pub(super) family: Family,
    /// Those that were looked at.
    pub(super) files: Vec<File<'a>>,
    /// How many there are, looked at or not; those that cannot be read are not counted.
    pub(super) file_count: u64,
    /// Their bytes.
    pub(super) size_bytes: u64,
}

impl<'a> Data<'a> {
    /// One file alone.
    pub(super) fn of_file(file: File<'a>) -> Self {
        Self { family: Family::new(file.recognized), files: vec![file], file_count: 1, size_bytes: file.object.size }
    }
}

/// A folder's own files by what they are.
#[derive(Debug)]
pub(super) enum Own<'a> {
    /// None that can be read.
    Nothing,
    /// All of one family.
    Alike(Box<Data<'a>>),
    /// Several families.
    Mixed(Vec<Data<'a>>),
}

/// Sorts a folder's sampled files into families; those that cannot be read are told.
pub(super) fn own<'a>(
    folder: &'a Folder,
    files: &'a HashMap<String, Result<Recognized, Skipped>>,
    policy: TableGrouping,
    skipped: &mut Vec<Skipped>,
) -> Own<'a> {
    let mut families: Vec<Data<'a>> = Vec::new();
    let (mut bad_files, mut bad_bytes) = (0, 0);
    for object in &folder.sample {
        let recognized = match files.get(object.location.as_ref()) {
            Some(Ok(recognized)) => recognized,
            Some(Err(reason)) => {
                skipped.push(reason.clone());
                bad_files += 1;
                bad_bytes += object.size;
                continue;
            }
            // Not looked at: the crawl asked for new folders only, or was told to stop.
            None => continue,
        };
        let file = File { object, recognized };
        let family = Family::new(recognized);
        let at_home = families
            .iter_mut()
            .find_map(|data| data.family.admits(&family, policy).map(|similarity| (data, similarity)));
        match at_home {
            Some((data, similarity)) => {
                data.family.join(&family, similarity);
                data.files.push(file);
                data.file_count += 1;
                data.size_bytes += object.size;
            }
            None => families.push(Data::of_file(file)),
        }
    }
    match families.len() {
        0 => Own::Nothing,
        1 => match families.pop() {
            Some(mut data) => {
                data.file_count = folder.file_count.saturating_sub(bad_files);
                data.size_bytes = folder.size_bytes.saturating_sub(bad_bytes);
                Own::Alike(Box::new(data))
            }
            None => Own::Nothing,
        },
        _ => Own::Mixed(families),
    }
}
