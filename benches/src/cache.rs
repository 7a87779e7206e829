//! Generated data: made once, whole or not at all.

use crate::report;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// `$XDG_CACHE_HOME/millrace/bench`, or the same below `~/.cache`.
pub fn default_directory() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    root.unwrap_or_else(std::env::temp_dir).join("millrace/bench")
}

/// The folder `name` of the cache; `generate` fills it when it is not there. Data that was not finished is thrown
/// away.
pub async fn folder<F>(cache: &Path, name: String, generate: impl FnOnce(PathBuf) -> F) -> Result<PathBuf>
where
    F: Future<Output = Result<()>>,
{
    let folder = cache.join(&name);
    if folder.exists() {
        return Ok(folder);
    }
    std::fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let unfinished = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(cache)?;
    let start = std::time::Instant::now();
    generate(unfinished.path().to_owned()).await?;
    report::print(&format!("generated {name} in {:.1} s", start.elapsed().as_secs_f64()));
    std::fs::rename(unfinished.keep(), &folder)?;
    Ok(folder)
}
