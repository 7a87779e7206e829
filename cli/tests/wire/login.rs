//! Logging in: passwords, limits, the first start, TLS that is required.

use crate::server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use tokio_postgres::error::SqlState;

const PASSWORD: (&str, &str) = ("MILLRACE_ADMIN_PASSWORD", "correct horse");

#[tokio::test]
async fn only_the_right_password_lets_in() {
    let server = Server::with(&[], &[PASSWORD]);
    let (client, _task) = server.client_with("user=admin dbname=dev password='correct horse'").await.unwrap();
    client.batch_execute("select 1").await.unwrap();
    for parameters in ["user=admin password=wrong", "user=nobody password='correct horse'", "user=admin password=''"] {
        let error = server.client_with(parameters).await.unwrap_err();
        let state = error.code().cloned();
        assert!(state.is_none() || state == Some(SqlState::INVALID_PASSWORD), "{parameters}: {error}");
    }
    let kept = std::fs::read_to_string(server.directory.path().join("users.json")).unwrap();
    assert!(!kept.contains("correct horse"));
}

#[tokio::test]
async fn an_address_that_fails_too_often_is_turned_away() {
    let server = Server::with(&[], &[PASSWORD]);
    for _ in 0..10 {
        server.client_with("user=admin password=wrong").await.unwrap_err();
    }
    let error = server.client_with("user=admin password='correct horse'").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION));
}

#[tokio::test]
async fn connections_are_limited() {
    let server = Server::with(&["--trust", "--max-connections", "2"], &[]);
    let (_first, _second) = (server.client().await, server.client().await);
    let error = server.client_with("user=admin").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::TOO_MANY_CONNECTIONS));
}

#[tokio::test]
async fn tls_that_is_required_is_not_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let options = ["--trust", "--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let server = Server::with(&options, &[]);
    let error = server.client_with("user=admin").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION));
    let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    socket.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    let mut answer = [0];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"S");
}
