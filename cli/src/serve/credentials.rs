//! What passwords are checked with: never the passwords themselves.
//!
//! Until users are kept in the catalog there is one, `admin`, whose verifiers are in a file of the warehouse's
//! directory that only its owner reads. The first start makes it, with a password that is printed once or comes from
//! `MILLRACE_ADMIN_PASSWORD`; a password given so at a later start replaces the old one.

use super::scram;
use anyhow::{Context, Result, bail};
use md5::Md5;
use rand::Rng;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The superuser.
pub(super) const ADMIN: &str = "admin";

/// The variable with the superuser's password.
const PASSWORD_VARIABLE: &str = "MILLRACE_ADMIN_PASSWORD";

/// The file of verifiers in a warehouse's directory.
const FILE: &str = "users.json";

/// Letters of a generated password; none looks like another.
const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// How long a generated password is: 128 bits and more.
const PASSWORD_LENGTH: usize = 24;

/// One-way forms of a password, one for each way of asking for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verifiers {
    /// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`, as in PostgreSQL.
    pub(super) scram: Option<String>,
    /// `md5` and the hexadecimal digest of password and user name.
    pub(super) md5: Option<String>,
    /// `sha256|digest|salt`, as in Redshift.
    pub(super) sha256: Option<String>,
}

impl Verifiers {
    /// The verifiers of a user's password.
    pub(super) fn of(user: &str, password: &str) -> Self {
        let salt = hex(&rand::random::<[u8; 16]>());
        Self {
            scram: Some(scram::verifier(password, &rand::random::<[u8; 16]>())),
            md5: Some(md5_of(password, user)),
            sha256: Some(format!("sha256|{}|{salt}", hex(&sha256(&[password.as_bytes(), salt.as_bytes()])))),
        }
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Hexadecimal digits as bytes.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The digest of parts one after the other.
pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().into()
}

/// PostgreSQL's form of an MD5 digest of two parts.
pub(super) fn md5_of(first: &str, second: impl AsRef<[u8]>) -> String {
    let mut digest = Md5::new();
    digest.update(first.as_bytes());
    digest.update(second.as_ref());
    format!("md5{}", hex(&digest.finalize()))
}

/// The users who may log in.
#[derive(Debug, Default)]
pub(super) struct Credentials(HashMap<String, Verifiers>);

impl Credentials {
    /// What a user's password is checked with; `None` when there is no such user.
    pub(super) fn verifiers(&self, user: &str) -> Option<&Verifiers> {
        self.0.get(user)
    }

    /// Reads the warehouse's users, and makes the superuser at the first start.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        let given = std::env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty());
        let kept = match std::fs::read_to_string(&path) {
            Ok(text) => Some(parse(&text).with_context(|| format!("{} is damaged", path.display()))?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("could not read {}", path.display())),
        };
        if let (Some(users), None) = (&kept, &given) {
            return Ok(Self(users.clone()));
        }
        let password = given.clone().unwrap_or_else(generated);
        let users = HashMap::from([(ADMIN.to_owned(), Verifiers::of(ADMIN, &password))]);
        save(&path, &users).with_context(|| format!("could not write {}", path.display()))?;
        if given.is_none() {
            let mut out = std::io::stdout();
            writeln!(out, "millrace made the user {ADMIN} with the password {password} (it is not shown again)")?;
        }
        Ok(Self(users))
    }
}

fn generated() -> String {
    let mut random = rand::rng();
    (0..PASSWORD_LENGTH).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

fn parse(text: &str) -> Result<HashMap<String, Verifiers>> {
    let document: serde_json::Value = serde_json::from_str(text)?;
    let Some(users) = document.as_object() else { bail!("it holds no users") };
    let user = |(name, verifiers): (&String, &serde_json::Value)| {
        let one = |key: &str| verifiers.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        (name.clone(), Verifiers { scram: one("scram"), md5: one("md5"), sha256: one("sha256") })
    };
    Ok(users.iter().map(user).collect())
}

/// Writes a new file and puts it in the old one's place.
fn save(path: &Path, users: &HashMap<String, Verifiers>) -> Result<()> {
    let document: serde_json::Map<String, serde_json::Value> = users
        .iter()
        .map(|(name, of)| (name.clone(), serde_json::json!({ "scram": of.scram, "md5": of.md5, "sha256": of.sha256 })))
        .collect();
    let new = path.with_extension("json.new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(serde_json::to_string_pretty(&document)?.as_bytes())?;
    file.sync_all()?;
    Ok(std::fs::rename(&new, path)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn digests_are_postgresqls() {
        // RFC 1321, appendix A.5.
        assert_eq!(md5_of("message ", "digest"), "md5f96b697d7cb7938d525a2f31aaf161d0");
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&sha256(&[b"a", b"bc"])), abc);
        assert_eq!(unhex(abc).unwrap(), sha256(&[b"abc"]));
    }

    #[test]
    fn users_survive_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let users = HashMap::from([(ADMIN.to_owned(), Verifiers::of(ADMIN, "secret"))]);
        save(&path, &users).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("secret"));
        assert_eq!(parse(&text).unwrap(), users);
        assert!(parse("[]").is_err());
    }
}
