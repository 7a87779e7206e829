//! Where a warehouse is: a directory, or a URL in an object store, whose catalog is then in the user's data directory if
//! it is not in a server.

use crate::args::{Action, Invocation};
use anyhow::{Context, Result, bail};
use std::env;
use std::path::{Path, PathBuf};

/// The invocation with a directory in place of a URL, which becomes the place of the tables' files.
///
/// # Errors
/// When there is no home to keep the catalog in, and for what works on directories only.
pub(crate) fn locate(mut invocation: Invocation) -> Result<Invocation> {
    let alone = matches!(invocation.action, Action::Demo { .. } | Action::Bench { .. });
    if alone && invocation.settings.iter().any(|(name, _)| name == "catalog") {
        bail!("the demo and benchmarks keep their catalog in their directory, not in a server");
    }
    let Some(url) = invocation.warehouse.as_deref().and_then(Path::to_str).filter(|place| place.contains("://")) else {
        return Ok(invocation);
    };
    if alone {
        bail!("the demo and benchmarks take a directory, not {url}");
    }
    let url = url.to_owned();
    let data_home = data_home(env::var_os("XDG_DATA_HOME").map(PathBuf::from), env::home_dir());
    let data_home = data_home.with_context(|| {
        format!(
            "there is no home directory to keep the catalog of {url} in; name a directory, and --set data_path={url}"
        )
    })?;
    invocation.warehouse = Some(directory(&data_home, &url)?);
    invocation.settings.insert(0, ("data_path".to_owned(), url));
    Ok(invocation)
}

/// The XDG base directory specification says to ignore a relative path.
fn data_home(given: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    given.filter(|path| path.is_absolute()).or_else(|| {
        let home = home.filter(|path| path.is_absolute())?;
        Some(home.join(".local/share"))
    })
}

/// The directory of a URL's catalog.
fn directory(data_home: &Path, url: &str) -> Result<PathBuf> {
    let mut directory = data_home.join("millrace");
    for part in url.split('/').map(|part| part.trim_end_matches(':')).filter(|part| !part.is_empty()) {
        if part == "." || part == ".." {
            bail!("the URL {url} has a part \"{part}\"");
        }
        directory.push(part);
    }
    // Apart from those of places below it.
    directory.push("catalog.millrace");
    Ok(directory)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::args::parse;

    #[test]
    fn a_url_has_its_catalog_in_the_data_directory() {
        let home = data_home(Some("relative".into()), Some("/me".into())).unwrap();
        assert_eq!(home, Path::new("/me/.local/share"));
        assert_eq!(data_home(Some("/data".into()), None).unwrap(), Path::new("/data"));
        assert_eq!(data_home(None, None), None);
        let of = |url: &str| directory(Path::new("/data"), url);
        assert_eq!(of("s3://bucket/a/b/").unwrap(), Path::new("/data/millrace/s3/bucket/a/b/catalog.millrace"));
        assert_ne!(of("s3://bucket").unwrap(), of("s3://bucket/a").unwrap());
        assert!(of("s3://bucket/../x").is_err());
    }

    #[test]
    fn a_url_becomes_the_place_of_the_files() {
        let at = |arguments: &[&str]| locate(parse(arguments, true).unwrap());
        let plain = at(&["millrace", "--warehouse", "dir"]).unwrap();
        assert_eq!((plain.directory(), plain.settings.len()), (Path::new("dir"), 0));
        let remote = at(&["millrace", "--warehouse", "s3://b/w", "--set", "a=1"]).unwrap();
        assert!(remote.directory().ends_with("s3/b/w/catalog.millrace"));
        assert_eq!(remote.settings[0], ("data_path".to_owned(), "s3://b/w".to_owned()));
        assert_eq!(remote.settings[1], ("a".to_owned(), "1".to_owned()));
        assert!(at(&["millrace", "--warehouse", "s3://b/w", "demo"]).is_err());
        let shared = at(&["millrace", "--warehouse", "s3://b/w", "--catalog", "postgres://h/d"]).unwrap();
        let settings: Vec<_> = shared.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(settings, [("data_path", "s3://b/w"), ("catalog", "postgres://h/d")]);
        assert!(at(&["millrace", "--catalog", "postgres://h/d", "demo"]).is_err());
    }
}
