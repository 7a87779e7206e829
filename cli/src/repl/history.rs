//! Where the history of typed statements is kept.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Entries kept; older ones are forgotten.
pub(super) const MAX_ENTRIES: usize = 2_000;

/// The history's file: where the XDG base directory specification puts state, or in the warehouse where the user has
/// no home. Its folder is made; `None` when that fails.
pub(super) fn file(warehouse: &Path) -> Option<PathBuf> {
    let folder = state_folder(env::var_os("XDG_STATE_HOME").map(PathBuf::from), env::home_dir(), warehouse);
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// The specification says to ignore a relative path.
fn state_folder(state_home: Option<PathBuf>, home: Option<PathBuf>, warehouse: &Path) -> PathBuf {
    let state = state_home.filter(|path| path.is_absolute()).or_else(|| {
        let home = home.filter(|path| path.is_absolute())?;
        Some(home.join(".local/state"))
    });
    state.map_or_else(|| warehouse.to_owned(), |state| state.join("millrace"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_follows_xdg() {
        let folder = |state: Option<&str>, home: Option<&str>| {
            state_folder(state.map(PathBuf::from), home.map(PathBuf::from), Path::new("/w"))
        };
        assert_eq!(folder(Some("/s"), Some("/h")), Path::new("/s/millrace"));
        assert_eq!(folder(Some("s"), Some("/h")), Path::new("/h/.local/state/millrace"));
        assert_eq!(folder(None, Some("")), Path::new("/w"));
        assert_eq!(folder(None, None), Path::new("/w"));
    }
}
