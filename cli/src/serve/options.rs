//! The options of `millrace serve`.

use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What the server listens on and whom it lets in.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ServeArgs {
    /// Address and port; may be given several times. Port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5439")]
    pub(crate) listen: Vec<SocketAddr>,

    /// Let everybody in without a password, as the user they name; on loopback addresses only
    #[arg(long)]
    pub(crate) trust: bool,

    /// PEM file of the certificate, with those that it needs; connections without TLS are refused then
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// PEM file of the certificate's private key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// With a certificate: let clients choose whether to use TLS
    #[arg(long, requires = "tls_cert")]
    pub(crate) tls_optional: bool,

    /// Connections at a time
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) max_connections: usize,

    /// Seconds that a client may take to log in
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) login_timeout: u64,

    /// Seconds that running statements may take when the server stops
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain_timeout: u64,
}
