//! Places of data: URLs of objects, folders and globs, parsed once.
//!
//! Owns the forms a user may write (`s3://b/p`, `s3a://b/p`, `file:///p`, `/p`, `p`) and their canonical URL. Object
//! keys are literal: `%` and blanks in a key stand for themselves. Touches neither disk nor network.

use crate::error::{Error, ErrorKind, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::path::Path;

/// A place in an object store: a bucket (or the local file system) and a path in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    store: ObjectStoreUrl,
    path: Path,
    glob: Option<String>,
}

impl Location {
    /// Parses what a user wrote. Relative local paths are taken from the process's current directory.
    ///
    /// # Errors
    /// `InvalidParameter` for a URL without a bucket or with an illegal path, `Unsupported` for other schemes.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::new(ErrorKind::InvalidParameter, "the location is empty"));
        }
        match text.split_once("://") {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "s3" | "s3a" | "s3n" => Self::in_bucket(text, rest),
                "file" => Self::local(rest),
                _ => Err(Error::unsupported(format!("a location of scheme \"{scheme}\""))
                    .with_hint("s3:// URLs and local paths are supported")),
            },
            None => Self::local(text.strip_prefix("file:").unwrap_or(text)),
        }
    }

    fn in_bucket(text: &str, rest: &str) -> Result<Self> {
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(legal) {
            return Err(Error::new(ErrorKind::InvalidParameter, format!("location \"{text}\" names no valid bucket")));
        }
        let store = ObjectStoreUrl::parse(format!("s3://{bucket}"))?;
        Self::with_key(text, store, key)
    }

    fn local(path: &str) -> Result<Self> {
        let absolute = std::path::absolute(path)
            .map_err(|e| Error::new(ErrorKind::InvalidParameter, format!("location \"{path}\" is invalid: {e}")))?;
        let mut parts: Vec<&std::ffi::OsStr> = Vec::new();
        for component in absolute.components() {
            match component {
                std::path::Component::Normal(part) => parts.push(part),
                std::path::Component::ParentDir => {
                    parts.pop();
                }
                _ => {}
            }
        }
        let key = parts
            .iter()
            .map(|p| p.to_str())
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::new(ErrorKind::InvalidParameter, format!("location \"{path}\" is not UTF-8")))?
            .join("/");
        Self::with_key(path, ObjectStoreUrl::local_filesystem(), &key)
    }

    fn with_key(text: &str, store: ObjectStoreUrl, key: &str) -> Result<Self> {
        let fixed = key.split('/').take_while(|segment| !segment.contains(['*', '?', '[', '{']));
        let fixed: Vec<&str> = fixed.filter(|s| !s.is_empty()).collect();
        let all: Vec<&str> = key.split('/').filter(|s| !s.is_empty()).collect();
        let parse = |segments: &[&str]| {
            Path::parse(segments.join("/"))
                .map_err(|e| Error::new(ErrorKind::InvalidParameter, format!("location \"{text}\" is invalid: {e}")))
        };
        if fixed.len() == all.len() {
            Ok(Self { store, path: parse(&all)?, glob: None })
        } else {
            Ok(Self { store, path: parse(&fixed)?, glob: Some(all.join("/")) })
        }
    }

    /// The place of an object or folder in the same store.
    #[must_use]
    pub fn at(&self, path: Path) -> Self {
        Self { store: self.store.clone(), path, glob: None }
    }

    /// The same path in another store.
    #[must_use]
    pub(crate) fn in_store(&self, store: ObjectStoreUrl) -> Self {
        Self { store, ..self.clone() }
    }

    /// The same place with `*`, `?`, `[` and `{` taken literally, as table locations are.
    pub fn literal(text: &str) -> Result<Self> {
        let parsed = Self::parse(text)?;
        match parsed.glob {
            None => Ok(parsed),
            Some(key) => {
                let path = Path::parse(&key).map_err(|e| {
                    Error::new(ErrorKind::InvalidParameter, format!("location \"{text}\" is invalid: {e}"))
                })?;
                Ok(Self { store: parsed.store, path, glob: None })
            }
        }
    }

    /// The object store: `s3://bucket/` or `file:///`.
    pub fn store(&self) -> &ObjectStoreUrl {
        &self.store
    }

    /// The path in the store; of a glob, the folder above its first wildcard.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole pattern, a path in the store, where the text had wildcards.
    pub fn glob(&self) -> Option<&str> {
        self.glob.as_deref()
    }

    /// Whether this is the local file system.
    pub fn is_local(&self) -> bool {
        self.store.as_str().starts_with("file:")
    }

    /// The canonical URL of the path, `s3://bucket/a/b` or `file:///a/b`, as the catalog keeps it.
    pub fn url(&self) -> String {
        self.url_of(&self.path)
    }

    /// The canonical URL of a path in the same store.
    pub fn url_of(&self, path: &Path) -> String {
        format!("{}{path}", self.store.as_str())
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.glob {
            Some(glob) => write!(f, "{}{glob}", self.store.as_str()),
            None => write!(f, "{}{}", self.store.as_str(), self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_place() -> Result<()> {
        for text in ["s3://b/a/c", "s3a://b/a/c/", "s3://b//a//c", " S3://b/a/c "] {
            assert_eq!(Location::parse(text)?.url(), "s3://b/a/c", "{text}");
        }
        assert_eq!(Location::parse("file:///tmp/../x y/%41")?.url(), "file:///x y/%41");
        assert!(Location::parse("relative/p")?.url().starts_with("file:///"));
        Ok(())
    }

    #[test]
    fn globs_begin_at_their_first_wildcard() -> Result<()> {
        let glob = Location::parse("s3://b/year=*/x.parquet")?;
        assert_eq!((glob.path().as_ref(), glob.glob()), ("", Some("year=*/x.parquet")));
        assert_eq!(Location::literal("s3://b/a*b")?.url(), "s3://b/a*b");
        Ok(())
    }

    #[test]
    fn bad_places_are_refused() {
        for text in ["", "s3://", "s3:///x", "gopher://x/y", "s3://b/../c"] {
            assert!(Location::parse(text).is_err(), "{text}");
        }
    }
}
