//! Files that a transaction wrote, which go unless they are kept.

use crate::tables::NewFiles;
use millrace_catalog::model::{DataFile, DeleteFile};

/// Files of one statement; dropping it removes them unless they are protected.
#[derive(Debug)]
pub(crate) enum Written {
    /// Rows.
    Data(NewFiles<Vec<DataFile>>),
    /// Positions of deleted rows.
    Deletes(NewFiles<Option<DeleteFile>>),
}

impl Written {
    /// Lets the files stay when this is dropped, or not.
    pub(super) fn protect(&mut self, protected: bool) {
        match self {
            Self::Data(files) => files.protect(protected),
            Self::Deletes(files) => files.protect(protected),
        }
    }

    /// Relative to their table's.
    pub(super) fn paths(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Data(files) => Box::new(files.described().iter().map(|file| file.path.as_str())),
            Self::Deletes(files) => Box::new(files.described().iter().map(|file| file.path.as_str())),
        }
    }
}
