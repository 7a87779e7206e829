//! TLS in front of the protocol: a certificate and its key from PEM files, rustls with ring.

use super::failure::Failure;
use super::options::ServeArgs;
use super::wire::{Stream, Wire};
use anyhow::{Context, Result, bail};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// How connections are encrypted.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    /// Whether connections without it are refused.
    pub(super) required: bool,
}

impl Tls {
    /// What the options ask for; `None` without a certificate.
    pub(super) fn open(arguments: &ServeArgs) -> Result<Option<Self>> {
        let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else { return Ok(None) };
        let acceptor = TlsAcceptor::from(Arc::new(config(certificate, key)?));
        Ok(Some(Self { acceptor, required: !arguments.tls_optional }))
    }

    /// Encrypts a connection whose client has asked for it.
    pub(super) async fn accept(&self, stream: Box<dyn Stream>) -> Result<Wire, Failure> {
        let encrypted = self.acceptor.accept(stream).await.map_err(Failure::Gone)?;
        Ok(Wire::new(Box::new(encrypted)))
    }
}

fn config(certificate: &Path, key: &Path) -> Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("could not read the certificate {}", certificate.display()))?;
    if chain.is_empty() {
        bail!("{} holds no certificate", certificate.display());
    }
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("could not read the key {}", key.display()))?;
    Ok(ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}
