//! `\e`: a text goes through the user's editor.

use anyhow::{Context, bail};
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Opens the editor on a file, or on a temporary file that holds `text`, and gives what the file holds afterwards.
pub(super) fn edit(text: &str, file: Option<&Path>) -> anyhow::Result<String> {
    if let Some(file) = file {
        run_editor(file)?;
        return fs::read_to_string(file).with_context(|| file.display().to_string());
    }
    let scratch = Scratch::create(text).context("could not make a temporary file")?;
    run_editor(&scratch.path)?;
    fs::read_to_string(&scratch.path).context("could not read the edited text")
}

/// The variable may hold arguments (`code --wait`), so a shell takes it apart.
fn run_editor(file: &Path) -> anyhow::Result<()> {
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.trim().is_empty()))
        .unwrap_or_else(|| "vi".to_owned());
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(file)
        .status()
        .with_context(|| format!("could not run \"{editor}\""))?;
    if !status.success() {
        bail!("\"{editor}\" ended with {status}");
    }
    Ok(())
}

/// A file that is gone when dropped.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn create(text: &str) -> std::io::Result<Self> {
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let path = env::temp_dir().join(format!("millrace-{}-{nanos}.sql", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // Statements may hold secrets.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path)?;
        let scratch = Self { path };
        file.write_all(text.as_bytes())?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}
