//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side, without channel binding.
//!
//! Pure but for the server's nonce, which is given. The server knows a verifier only: what it keeps does not let
//! anybody log in.

use super::credentials::sha256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The mechanism's name.
pub(super) const MECHANISM: &str = "SCRAM-SHA-256";

/// How often a password is hashed, as PostgreSQL does it.
const ITERATIONS: u32 = 4_096;

/// A digest of SHA-256.
type Key = [u8; 32];

/// What a password is checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

/// The verifier of a password, as text.
pub(super) fn verifier(password: &str, salt: &[u8]) -> String {
    let salted = salted_password(password, salt, ITERATIONS);
    let stored_key = sha256(&[&hmac(&salted, b"Client Key")]);
    let server_key = hmac(&salted, b"Server Key");
    let [salt, stored_key, server_key] = [salt, &stored_key, &server_key].map(|bytes| STANDARD.encode(bytes));
    format!("{MECHANISM}${ITERATIONS}:{salt}${stored_key}:{server_key}")
}

impl Verifier {
    /// Reads a verifier.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        if parts.next()? != MECHANISM {
            return None;
        }
        let (iterations, salt) = parts.next()?.split_once(':')?;
        let (stored_key, server_key) = parts.next()?.split_once(':')?;
        let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        Some(Self {
            iterations: iterations.parse().ok()?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }

    /// A verifier that no password fits, for users who do not exist: it always looks the same for the same name.
    pub(super) fn of_nobody(user: &str, secret: &Key) -> Self {
        let salt = hmac(secret, user.as_bytes())[..16].to_vec();
        Self { iterations: ITERATIONS, salt, stored_key: *secret, server_key: *secret }
    }
}

/// An exchange after the client's first message.
#[derive(Debug)]
pub(super) struct Exchange {
    verifier: Verifier,
    header: String,
    client_first: String,
    server_first: String,
    nonce: String,
}

/// Begins an exchange with the client's first message; `None` when that is none.
pub(super) fn begin(verifier: Verifier, message: &str, server_nonce: &str) -> Option<Exchange> {
    // `n,,n=user,r=nonce`; a client that insists on channel binding (`p=`) asked for another mechanism.
    let mut parts = message.splitn(3, ',');
    let (binding, identity, bare) = (parts.next()?, parts.next()?, parts.next()?);
    if !matches!(binding, "n" | "y") || bare.starts_with("m=") {
        return None;
    }
    let client_nonce = bare.split(',').find_map(|part| part.strip_prefix("r=")).filter(|nonce| !nonce.is_empty())?;
    let nonce = format!("{client_nonce}{server_nonce}");
    let server_first = format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
    let header = STANDARD.encode(format!("{binding},{identity},"));
    Some(Exchange { verifier, header, client_first: bare.to_owned(), server_first, nonce })
}

impl Exchange {
    /// The server's first message.
    pub(super) fn challenge(&self) -> &str {
        &self.server_first
    }

    /// Ends the exchange with the client's last message: the server's proof that it knows the verifier, or `None` when
    /// the password is wrong or the message is none.
    pub(super) fn finish(&self, message: &str) -> Option<String> {
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let mut parts = without_proof.split(',');
        if parts.next()?.strip_prefix("c=")? != self.header || parts.next()?.strip_prefix("r=")? != self.nonce {
            return None;
        }
        let proof: Key = STANDARD.decode(proof).ok()?.try_into().ok()?;
        let said = format!("{},{},{without_proof}", self.client_first, self.server_first);
        let mut client_key = hmac(&self.verifier.stored_key, said.as_bytes());
        client_key.iter_mut().zip(proof).for_each(|(signature, proof)| *signature ^= proof);
        if !bool::from(sha256(&[&client_key]).ct_eq(&self.verifier.stored_key)) {
            return None;
        }
        Some(format!("v={}", STANDARD.encode(hmac(&self.verifier.server_key, said.as_bytes()))))
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Key {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Key::default() };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// PBKDF2 with one block.
fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Key {
    let mut block = hmac(password.as_bytes(), &[salt, &1u32.to_be_bytes()].concat());
    let mut sum = block;
    for _ in 1..iterations {
        block = hmac(password.as_bytes(), &block);
        sum.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The exchange of RFC 7677, section 3.
    #[test]
    fn the_rfcs_exchange() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let known = Verifier::parse(&verifier("pencil", &salt)).unwrap();
        let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
        let exchange = begin(known, first, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0").unwrap();
        let expected = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(exchange.challenge(), expected);
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(exchange.finish(last).unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        for wrong in
            [last.replace("dHzb", "dHzc"), last.replace("biws", "eSws"), last.replace("c=", "d="), String::new()]
        {
            assert_eq!(exchange.finish(&wrong), None);
        }
    }

    #[test]
    fn nonsense_begins_no_exchange() {
        let nobody = Verifier::of_nobody("u", &[7; 32]);
        for message in ["", "n,,", "n,,n=u", "n,,n=u,r=", "p=tls-unique,,n=u,r=x", "n,,m=x,n=u,r=x"] {
            assert!(begin(nobody.clone(), message, "y").is_none(), "{message}");
        }
        assert_eq!(Verifier::parse("md5abc"), None);
        assert_eq!(Verifier::parse("SCRAM-SHA-256$4096:x"), None);
    }
}
