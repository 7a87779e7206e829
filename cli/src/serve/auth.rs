//! Logging in: trust on loopback, SCRAM-SHA-256, Redshift's SHA-256 challenge, MD5.
//!
//! Redshift's drivers say so in their startup message and are asked with message 13, which they know; everybody else
//! is asked for SCRAM, or for MD5 where a user has nothing better. Whether a user exists is not told, and an address
//! that fails too often is turned away for a while.

use super::credentials::{Credentials, Verifiers, md5_of, sha256, unhex};
use super::failure::Failure;
use super::message::{decode_password, decode_sasl_start, violation};
use super::options::ServeArgs;
use super::scram;
use super::startup::Client;
use super::wire::Wire;
use anyhow::Result;
use bytes::{Buf, BufMut, Bytes};
use millrace_engine::{Error, ErrorKind, Login};
use pgwire::messages::startup::Authentication;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// Failed logins of one address within [`WINDOW`] after which it is turned away.
const MOST_FAILURES: u32 = 10;
/// How long failures count.
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses whose failures are kept.
const MOST_ADDRESSES: usize = 10_000;
/// Redshift's authentication request with a digest, and the number of SHA-256 in it.
const DIGEST_REQUEST: i32 = 13;
const DIGEST_SHA256: i32 = 0;

/// Who may come in, and how.
pub(super) struct Gate {
    trust: bool,
    credentials: Credentials,
    /// Makes the challenges for users who do not exist.
    secret: [u8; 32],
    failures: Mutex<HashMap<IpAddr, (u32, Instant)>>,
}

impl Gate {
    /// The gate that the options ask for.
    pub(super) fn open(directory: &Path, arguments: &ServeArgs) -> Result<Self> {
        let credentials = if arguments.trust { Credentials::default() } else { Credentials::open(directory)? };
        Ok(Self { trust: arguments.trust, credentials, secret: rand::random(), failures: Mutex::default() })
    }

    /// How a client of this address proves who it is, in the journal's words.
    pub(super) fn method(&self, peer: IpAddr) -> &'static str {
        if self.trust && peer.is_loopback() { "Trust" } else { "password" }
    }

    /// Finds out whether a client is who it says.
    ///
    /// What the catalog knows of the user goes before the file of the first start, which knows `admin` alone.
    pub(super) async fn check(
        &self,
        wire: &mut Wire,
        client: &Client,
        login: Option<&Login>,
        peer: IpAddr,
    ) -> Result<(), Failure> {
        if self.trust && peer.is_loopback() {
            return Ok(());
        }
        if self.fails_too_often(peer) {
            let message = "too many failed logins from this address";
            return Err(Failure::Fatal(
                Error::new(ErrorKind::InvalidAuthorization, message).with_hint("wait a minute"),
            ));
        }
        let nobody = Verifiers::default();
        let expired = login.is_some_and(Login::is_expired);
        let of_catalog = login.map(Login::verifiers).map_or_else(Verifiers::default, |known| Verifiers {
            scram: known.scram.clone(),
            md5: known.md5.clone(),
            sha256: known.sha256.clone(),
        });
        let verifiers = match self.credentials.verifiers(&client.user) {
            _ if expired => &nobody,
            Some(of_file) if of_catalog == nobody => of_file,
            _ => &of_catalog,
        };
        let right = if client.is_redshift_driver() {
            digest(wire, verifiers.sha256.as_deref()).await?
        } else if let (None, Some(md5)) = (&verifiers.scram, &verifiers.md5) {
            ask_md5(wire, md5).await?
        } else {
            let known = verifiers.scram.as_deref().and_then(scram::Verifier::parse);
            let known = known.unwrap_or_else(|| scram::Verifier::of_nobody(&client.user, &self.secret));
            ask_scram(wire, known).await?
        };
        if right {
            return Ok(());
        }
        self.note_failure(peer);
        let message = format!("password authentication failed for user \"{}\"", client.user);
        Err(Failure::Fatal(Error::new(ErrorKind::InvalidPassword, message)))
    }

    fn fails_too_often(&self, peer: IpAddr) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(&peer).is_some_and(|(count, since)| *count >= MOST_FAILURES && since.elapsed() < WINDOW)
    }

    fn note_failure(&self, peer: IpAddr) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, (_, since)| since.elapsed() < WINDOW);
        if failures.len() < MOST_ADDRESSES || failures.contains_key(&peer) {
            failures.entry(peer).or_insert((0, Instant::now())).0 += 1;
        }
    }
}

/// The next message, which must be of this type.
async fn answer(wire: &mut Wire, wanted: u8) -> Result<Bytes, Failure> {
    match wire.frame().await? {
        Some((kind, body)) if kind == wanted => Ok(body),
        Some((kind, _)) => {
            Err(Failure::Fatal(violation(format!("expected password response, got message type {kind}"))))
        }
        None => Err(Failure::Gone(std::io::ErrorKind::UnexpectedEof.into())),
    }
}

async fn ask_scram(wire: &mut Wire, known: scram::Verifier) -> Result<bool, Failure> {
    wire.push(&Authentication::SASL(vec![scram::MECHANISM.to_owned()]))?;
    let (mechanism, first) = decode_sasl_start(answer(wire, b'p').await?).map_err(Failure::Fatal)?;
    if mechanism != scram::MECHANISM {
        return Err(Failure::Fatal(violation("client selected an invalid SASL authentication mechanism")));
    }
    let malformed = || Failure::Fatal(violation("malformed SCRAM message"));
    let nonce = super::credentials::hex(&rand::random::<[u8; 18]>());
    let first = std::str::from_utf8(&first).map_err(|_| malformed())?;
    let exchange = scram::begin(known, first, &nonce).ok_or_else(malformed)?;
    wire.push(&Authentication::SASLContinue(Bytes::copy_from_slice(exchange.challenge().as_bytes())))?;
    let last = answer(wire, b'p').await?;
    let last = std::str::from_utf8(&last).map_err(|_| malformed())?;
    let Some(proof) = exchange.finish(last) else { return Ok(false) };
    wire.push(&Authentication::SASLFinal(proof.into()))?;
    Ok(true)
}

async fn ask_md5(wire: &mut Wire, known: &str) -> Result<bool, Failure> {
    let salt: [u8; 4] = rand::random();
    wire.push(&Authentication::MD5Password(salt.to_vec()))?;
    let said = decode_password(answer(wire, b'p').await?).map_err(Failure::Fatal)?;
    let expected = md5_of(known.trim_start_matches("md5"), salt);
    Ok(said.as_bytes().ct_eq(expected.as_bytes()).into())
}

/// Redshift's own: the digest of the stored digest, our nonce and the client's.
async fn digest(wire: &mut Wire, known: Option<&str>) -> Result<bool, Failure> {
    let mut parts = known.unwrap_or_default().split('|').skip(1);
    let stored = parts.next().and_then(unhex);
    let made_up = super::credentials::hex(&rand::random::<[u8; 16]>());
    let salt = parts.next().unwrap_or(&made_up).as_bytes();
    let nonce = super::credentials::hex(&rand::random::<[u8; 16]>());
    let out = wire.output();
    out.put_u8(b'R');
    out.put_i32((4 + 4 + 4 + 4 + salt.len() + 4 + nonce.len()) as i32);
    out.put_i32(DIGEST_REQUEST);
    out.put_i32(DIGEST_SHA256);
    for part in [salt, nonce.as_bytes()] {
        out.put_i32(part.len() as i32);
        out.put_slice(part);
    }
    let mut said = answer(wire, b'd').await?;
    let short = || Failure::Fatal(violation("malformed digest response"));
    let mut part = || {
        let length = usize::try_from(said.try_get_i32().ok()?).ok()?;
        (length <= said.len()).then(|| said.split_to(length))
    };
    let (proof, client_nonce) = (part().ok_or_else(short)?, part().ok_or_else(short)?);
    let Some(stored) = stored else { return Ok(false) };
    let expected = sha256(&[&stored, nonce.as_bytes(), &client_nonce]);
    Ok(proof.as_ref().ct_eq(expected.as_slice()).into())
}
