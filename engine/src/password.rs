//! Passwords as they are stored: one-way, in a form for each way that clients prove them.
//!
//! A password in clear is kept as a SCRAM-SHA-256 verifier (RFC 5803), as PostgreSQL's MD5 and as a salted SHA-256:
//! drivers of Redshift know the latter two only. One that is given hashed is kept as it is.

use crate::error::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md_5_010::{Digest as _, Md5};
use millrace_catalog::model::Verifiers;
use sha2::{Digest as _, Sha256};

/// SCRAM's iterations, as PostgreSQL's.
const ITERATIONS: u32 = 4096;
/// Bytes of a salt, as PostgreSQL's.
const SALT_BYTES: usize = 16;

/// The verifiers of a user's new password: in clear, `md5` with 32 hexadecimal digits, or `sha256|digest[|salt]`.
///
/// # Errors
/// `InvalidParameter` for a password in clear that Redshift would refuse: it has 8 to 64 characters with an upper-case
/// letter, a lower-case letter and a digit among them.
pub(crate) fn verifiers(user: &str, password: &str) -> Result<Verifiers> {
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(digest) = password.strip_prefix("md5").filter(|digest| digest.len() == 32 && is_hex(digest)) {
        return Ok(Verifiers { md5: Some(format!("md5{}", digest.to_lowercase())), ..Verifiers::default() });
    }
    if let Some(rest) = password.strip_prefix("sha256|") {
        let mut parts = rest.split('|');
        let digest = parts.next().unwrap_or_default();
        if digest.len() == 64 && is_hex(digest) {
            let salt = parts.next().map_or_else(String::new, |salt| format!("|{salt}"));
            let stored = format!("sha256|{}{salt}", digest.to_lowercase());
            return Ok(Verifiers { sha256: Some(stored), ..Verifiers::default() });
        }
        // As in Redshift: what follows is in clear and is to be kept as SHA-256 only.
        check(rest)?;
        return Ok(Verifiers { sha256: Some(salted_sha256(rest)), ..Verifiers::default() });
    }
    check(password)?;
    Ok(Verifiers {
        scram: Some(scram(password, &random_salt())?),
        md5: Some(md5(user, password)),
        sha256: Some(salted_sha256(password)),
    })
}

/// Whether a password in clear is a user's.
pub(crate) fn matches(user: &str, verifiers: &Verifiers, password: &str) -> bool {
    if let Some(stored) = &verifiers.scram {
        let salt = stored.split(['$', ':']).nth(2).and_then(|salt| STANDARD.decode(salt).ok());
        return salt.and_then(|salt| scram(password, &salt).ok()).is_some_and(|made| same(&made, stored));
    }
    if let Some(stored) = &verifiers.sha256 {
        let mut parts = stored.split('|').skip(1);
        let digest = parts.next().unwrap_or_default();
        let made = hex::encode(Sha256::digest(format!("{password}{}", parts.next().unwrap_or_default())));
        return same(&made, digest);
    }
    verifiers.md5.as_ref().is_some_and(|stored| same(&md5(user, password), stored))
}

/// Compares in a time that does not tell where two texts differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

fn check(password: &str) -> Result<()> {
    let length = password.chars().count();
    let has = |of: fn(&u8) -> bool| password.as_bytes().iter().any(of);
    let allowed = password.bytes().all(|b| (33..=126).contains(&b) && !matches!(b, b'\'' | b'"' | b'\\' | b'/' | b'@'));
    if !(8..=64).contains(&length) {
        return Err(Error::new(ErrorKind::InvalidParameter, "password must be between 8 and 64 characters in length"));
    }
    if !(has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit) && allowed) {
        let message = "password must contain a number, an upper-case and a lower-case letter";
        return Err(Error::new(ErrorKind::InvalidParameter, message)
            .with_detail("it is made of printable ASCII characters except ' \" \\ / @ and blanks"));
    }
    Ok(())
}

/// A password that nobody has guessed, for the first start.
pub(crate) fn generate() -> String {
    use rand::Rng;
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    loop {
        let mut random = rand::rng();
        let made: String = (0..24).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect();
        if check(&made).is_ok() {
            return made;
        }
    }
}

fn random_salt() -> Vec<u8> {
    rand::random::<[u8; SALT_BYTES]>().to_vec()
}

fn md5(user: &str, password: &str) -> String {
    format!("md5{}", hex::encode(Md5::digest(format!("{password}{user}"))))
}

fn salted_sha256(password: &str) -> String {
    let salt = hex::encode(random_salt());
    format!("sha256|{}|{salt}", hex::encode(Sha256::digest(format!("{password}{salt}"))))
}

/// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`. Passwords are ASCII, so SASLprep changes nothing.
fn scram(password: &str, salt: &[u8]) -> Result<String> {
    let salted = pbkdf2(password.as_bytes(), salt)?;
    let client = hmac(&salted, &[b"Client Key"])?;
    let stored = Sha256::digest(client);
    let server = hmac(&salted, &[b"Server Key"])?;
    let encode = |bytes: &[u8]| STANDARD.encode(bytes);
    Ok(format!("SCRAM-SHA-256${ITERATIONS}:{}${}:{}", encode(salt), encode(&stored), encode(&server)))
}

/// PBKDF2 of one block, SCRAM's `Hi`.
fn pbkdf2(password: &[u8], salt: &[u8]) -> Result<[u8; 32]> {
    let mut last = hmac(password, &[salt, &[0, 0, 0, 1]])?;
    let mut all = last;
    for _ in 1..ITERATIONS {
        last = hmac(password, &[&last])?;
        all.iter_mut().zip(last).for_each(|(all, last)| *all ^= last);
    }
    Ok(all)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|e| Error::internal(e.to_string()))?;
    for part in parts {
        mac.update(part);
    }
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    /// RFC 7677's example gives the keys of this password and salt.
    #[test]
    fn scram_as_the_rfc_has_it() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let made = scram("pencil", &salt).unwrap();
        assert_eq!(
            made,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
             wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn passwords_are_checked_by_every_verifier() {
        let all = verifiers("ann", "Secret123").unwrap();
        let only = |scram: bool, sha256: bool, md5: bool| Verifiers {
            scram: all.scram.clone().filter(|_| scram),
            sha256: all.sha256.clone().filter(|_| sha256),
            md5: all.md5.clone().filter(|_| md5),
        };
        for kept in [only(true, false, false), only(false, true, false), only(false, false, true)] {
            assert!(matches("ann", &kept, "Secret123"), "{kept:?}");
            assert!(!matches("ann", &kept, "Secret124"), "{kept:?}");
        }
        assert!(!matches("ann", &Verifiers::default(), ""));
        // md5('ab1234567dwuser'), Redshift's documentation of CREATE USER.
        let hashed = verifiers("admin", "md5153c434b4b77c89e6b94f12c5393af5b").unwrap();
        assert_eq!(hashed.md5.as_deref(), Some("md5153c434b4b77c89e6b94f12c5393af5b"));
        for bad in ["short1A", "nouppercase1", "NOLOWERCASE1", "NoDigitsHere", "With blank 1"] {
            assert!(verifiers("ann", bad).is_err(), "{bad}");
        }
        assert!(check(&generate()).is_ok());
    }
}
