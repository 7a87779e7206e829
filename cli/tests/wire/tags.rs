//! What a statement says when it has ended: its command tag with the count of rows, and whether a transaction is open
//! (PostgreSQL's protocol, "CommandComplete" and "ReadyForQuery").

use crate::bad_input::{logged_in, message, received};
use crate::server::Server;
use std::io::Write;
use std::net::TcpStream;

/// A text's last tag, or the SQLSTATE of its error, and the status behind it: `I` idle, `T` in a transaction, `E` in one
/// that failed.
fn ending(socket: &mut TcpStream, text: &str) -> (String, char) {
    socket.write_all(&message(b'Q', &[text.as_bytes(), b"\0"].concat())).unwrap();
    let mut told = String::new();
    loop {
        let (kind, body) = received(socket);
        match kind {
            b'C' => String::from_utf8(body).unwrap().trim_end_matches('\0').clone_into(&mut told),
            b'E' => {
                let code = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C"));
                told = String::from_utf8(code.unwrap().to_vec()).unwrap();
            }
            b'Z' => return (told, char::from(body[0])),
            _ => {}
        }
    }
}

#[tokio::test]
async fn tags_count_rows_and_the_status_follows_transactions() {
    let server = Server::start();
    let mut socket = logged_in(&server);
    for (text, tag, status) in [
        ("create table t (a int)", "CREATE TABLE", 'I'),
        ("insert into t values (1), (2), (3)", "INSERT 0 3", 'I'),
        ("insert into t select a from t where a > 5", "INSERT 0 0", 'I'),
        ("select * from t", "SELECT 3", 'I'),
        ("begin", "BEGIN", 'T'),
        ("update t set a = 9 where a > 1", "UPDATE 2", 'T'),
        ("declare c cursor for select a from t", "DECLARE CURSOR", 'T'),
        ("fetch 2 from c", "FETCH 2", 'T'),
        ("fetch all from c", "FETCH 1", 'T'),
        ("close c", "CLOSE CURSOR", 'T'),
        ("delete from t where a = 9", "DELETE 2", 'T'),
        ("rollback", "ROLLBACK", 'I'),
        ("begin; delete from t", "DELETE 3", 'T'),
        ("select 1/0", "22012", 'E'),
        ("select 1", "25P02", 'E'),
        ("commit", "ROLLBACK", 'I'),
        ("select * from t", "SELECT 3", 'I'),
        ("select 1/0", "22012", 'I'),
        ("create table u as select a from t where a > 1", "SELECT 2", 'I'),
        ("drop table t", "DROP TABLE", 'I'),
    ] {
        assert_eq!(ending(&mut socket, text), (tag.to_owned(), status), "{text}");
    }
}
