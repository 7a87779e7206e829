//! This test binary run again: one of its ignored tests, in a process that can be killed or deprived of rights.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Tells a test that it is such a process, and where it works.
const FOLDER: &str = "MILLRACE_TEST_FOLDER";
/// The user `nobody`, for tests that run as root: root may write everything.
const NOBODY: u32 = 65_534;

/// The folder that a process was started for; `None` when somebody runs ignored tests by hand.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Starts an ignored test as a process.
pub(crate) fn start(test: &str, folder: &Path) -> Child {
    command(&std::env::current_exe().unwrap(), test, folder).spawn().unwrap()
}

/// Starts an ignored test as a process for which the folder is a disk of its own with so many bytes, empty at first;
/// `None` where this machine does not let us mount one.
pub(crate) fn start_on_small_disk(test: &str, folder: &Path, bytes: u64) -> Option<Child> {
    let mount = format!("mount -t tmpfs -o size={bytes} none \"$0\"");
    let shell = |script: String| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(folder);
        command
    };
    if !shell(mount.clone()).status().is_ok_and(|status| status.success()) {
        return None;
    }
    let mut command = shell(format!("{mount} && exec \"$@\""));
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--ignored", "--nocapture"]);
    Some(command.env(FOLDER, folder).spawn().unwrap())
}

/// Starts an ignored test as a process that permissions bind.
pub(crate) fn start_powerless(test: &str, folder: &Path) -> Child {
    let executable = std::env::current_exe().unwrap();
    if !is_root(folder) {
        return command(&executable, test, folder).spawn().unwrap();
    }
    // Nobody may not enter root's home: the binary comes to a place where he may.
    let parent = folder.parent().unwrap();
    let copy = parent.join("test-binary");
    std::fs::copy(&executable, &copy).unwrap();
    std::fs::set_permissions(parent, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = command(&copy, test, folder);
    command.current_dir(parent).uid(NOBODY).gid(NOBODY);
    command.spawn().unwrap()
}

/// Takes the right to write from a folder and the files in it.
pub(crate) fn forbid_writing(folder: &Path) {
    set_modes(folder, 0o555, 0o444);
}

/// Gives it back, so that the folder can be removed.
pub(crate) fn allow_writing(folder: &Path) {
    set_modes(folder, 0o755, 0o644);
}

fn command(executable: &Path, test: &str, folder: &Path) -> Command {
    let mut command = Command::new(executable);
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(FOLDER, folder);
    command
}

fn is_root(folder: &Path) -> bool {
    // The folder cannot be written by now: whoever can write it is above permissions.
    let probe = folder.join("probe");
    let written = std::fs::write(&probe, "").is_ok();
    let _ = std::fs::remove_file(probe);
    written
}

fn set_modes(folder: &Path, folder_mode: u32, file_mode: u32) {
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            set_modes(&path, folder_mode, file_mode);
        } else if let Err(error) = std::fs::set_permissions(&path, PermissionsExt::from_mode(file_mode)) {
            // SQLite's log goes while its database is being closed.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}: {error}", path.display());
        }
    }
    std::fs::set_permissions(folder, PermissionsExt::from_mode(folder_mode)).unwrap();
}
