//! Connections under TLS, those that must be, and what somebody in between may try.

use crate::server::Server;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tokio_rustls::TlsConnector;

/// Asks for TLS.
const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A certificate for `localhost` that nobody else knows.
struct Certificate {
    folder: TempDir,
    made: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Certificate {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Self { folder, made }
    }

    /// A server that has it.
    fn server(&self, more: &[&str]) -> Server {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let (certificate, key) = (path("cert.pem"), path("key.pem"));
        let options = ["--trust", "--tls-cert", &certificate, "--tls-key", &key];
        Server::with(&[&options[..], more].concat(), &[])
    }

    /// A client under TLS, which believes nobody else.
    async fn client(&self, server: &Server, name: &str) -> Result<Client, Box<dyn std::error::Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.made.cert.der().clone())?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await?;
        socket.write_all(&REQUEST).await?;
        assert_eq!(socket.read_u8().await?, b'S');
        let name = ServerName::try_from(name.to_owned())?;
        let encrypted = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
        // What follows is the protocol as ever, which need not ask again.
        let mut login = Config::new();
        login.user("admin").dbname("dev").ssl_mode(SslMode::Disable);
        let (client, connection) = login.connect_raw(encrypted, NoTls).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(client)
    }
}

#[tokio::test]
async fn queries_under_tls() {
    let certificate = Certificate::new();
    let server = certificate.server(&[]);
    let client = certificate.client(&server, "localhost").await.unwrap();
    // More than a TLS record holds, both ways.
    let long = "x".repeat(100_000);
    let row = client.query_one("select $1::varchar(200000) || 'y'", &[&long]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), format!("{long}y"));
    let query =
        "select trim(sslversion) from stl_connection_log where pid = pg_backend_pid() and event = 'authenticated'";
    assert_eq!(client.query_one(query, &[]).await.unwrap().get::<_, String>(0), "TLS");
    assert!(certificate.client(&server, "elsewhere").await.is_err());
}

#[tokio::test]
async fn tls_that_is_required_is_not_left_out() {
    let certificate = Certificate::new();
    let server = certificate.server(&[]);
    let error = server.client_with("user=admin").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION));
}

#[tokio::test]
async fn tls_that_is_optional_is_the_clients_choice() {
    let certificate = Certificate::new();
    let server = certificate.server(&["--tls-optional"]);
    server.client_with("user=admin dbname=dev").await.unwrap().0.batch_execute("select 1").await.unwrap();
    let client = certificate.client(&server, "localhost").await.unwrap();
    client.batch_execute("select 1").await.unwrap();
}

/// What is sent behind the wish for TLS, before its answer, was not encrypted: somebody in between may have put it
/// there to be taken for the client's (CVE-2021-23214).
#[tokio::test]
async fn what_was_sent_before_tls_is_not_taken() {
    let certificate = Certificate::new();
    for more in [&[][..], &["--tls-optional"]] {
        let server = certificate.server(more);
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        socket.write_all(&[&REQUEST[..], &crate::bad_input::startup()].concat()).unwrap();
        let mut answer = Vec::new();
        drop(socket.read_to_end(&mut answer));
        assert_eq!(answer, b"S");
        certificate.client(&server, "localhost").await.unwrap();
    }
}
