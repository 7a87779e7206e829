//! Random bytes and messages in random order over a real socket: the server answers, or ends that connection, and
//! nothing else. The generator begins at the same numbers every time.

use crate::bad_input::{logged_in, message, socket};
use crate::server::Server;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

/// The types of messages that a server sends.
const KNOWN: &[u8] = b"123CDEIKNRSTZnst";

/// What the last query of a connection gives.
const MARKER: &str = "that was all";

/// Connections of each kind.
const ROUNDS: u64 = 60;

/// Reads until the server closes; the types of the messages that came whole.
fn rest(mut socket: TcpStream) -> Vec<u8> {
    // The server may have ended the connection while we still wrote.
    drop(socket.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    drop(socket.read_to_end(&mut answer));
    let mut kinds = Vec::new();
    let mut input = answer.as_slice();
    while let Some((head, after)) = input.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let Some(after) = length.checked_sub(4).and_then(|length| after.get(length..)) else { break };
        kinds.push(head[0]);
        input = after;
    }
    kinds
}

fn text(random: &mut StdRng) -> Vec<u8> {
    const TEXTS: [&str; 12] = [
        "select 1",
        "select $1::int + 1",
        "insert into f values (1)",
        "select x from (values (1),(2),(3)) v(x)",
        "begin",
        "commit",
        "rollback",
        "selec",
        "select 1/0",
        "select 1; select 2; select * from nope",
        "declare c cursor for select 1",
        "",
    ];
    [TEXTS.choose(random).unwrap().as_bytes(), b"\0"].concat()
}

fn name(random: &mut StdRng) -> &'static [u8] {
    [&b"\0"[..], b"a\0", b"b\0"].choose(random).unwrap()
}

/// A message that is well formed most of the time.
fn any_message(random: &mut StdRng) -> Vec<u8> {
    let kind = *b"QPBDECHSSSSdcfpF".choose(random).unwrap();
    let mut body = match kind {
        b'Q' => text(random),
        b'P' => [name(random), &text(random)[..], &b"\0\0"[..]].concat(),
        b'B' => [name(random), name(random), &b"\0\0\0\x01\0\0\0\x01\x37\0\0"[..]].concat(),
        b'D' | b'C' => [&[*b"SP".choose(random).unwrap()][..], name(random)].concat(),
        b'E' => [name(random), &random.random_range(0..3i32).to_be_bytes()[..]].concat(),
        b'f' => b"no\0".to_vec(),
        _ => Vec::new(),
    };
    if random.random_ratio(1, 8) {
        let length = random.random_range(0..=body.len());
        body.truncate(length);
        body.extend((0..random.random_range(0..6)).map(|_| random.random::<u8>()));
    }
    message(kind, &body)
}

#[tokio::test]
async fn random_bytes_end_their_own_connection() {
    let server = Server::start();
    let client = server.client().await;
    for seed in 0..ROUNDS {
        let mut random = StdRng::seed_from_u64(seed);
        let bytes: Vec<u8> = (0..random.random_range(1..200)).map(|_| random.random()).collect();
        let mut socket = if seed % 2 == 0 { socket(&server) } else { logged_in(&server) };
        drop(socket.write_all(&bytes));
        rest(socket);
    }
    client.batch_execute("select 1").await.unwrap();
}

/// The types of the messages up to the answer to a query that comes last.
fn until_marker(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut kinds = Vec::new();
    let mut marked = false;
    loop {
        let mut head = [0; 5];
        socket.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length.checked_sub(4)?];
        socket.read_exact(&mut body).ok()?;
        marked |= head[0] == b'D' && body.ends_with(MARKER.as_bytes());
        kinds.push(head[0]);
        if marked && head[0] == b'Z' {
            return Some(kinds);
        }
    }
}

#[tokio::test]
async fn messages_in_any_order_get_an_answer_for_every_sync() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table f (a int)").await.unwrap();
    for seed in 0..ROUNDS {
        let mut random = StdRng::seed_from_u64(seed);
        let mut socket = logged_in(&server);
        let sent: Vec<Vec<u8>> = (0..random.random_range(1..30)).map(|_| any_message(&mut random)).collect();
        let count = |kinds: &[u8]| sent.iter().filter(|message| kinds.contains(&message[0])).count();
        drop(socket.write_all(&sent.concat()));
        let end = [message(b'S', b""), message(b'Q', format!("rollback; select '{MARKER}'\0").as_bytes())].concat();
        drop(socket.write_all(&end));
        let answered = if count(b"p") > 0 { None } else { until_marker(&mut socket) };
        let Some(kinds) = answered else {
            // A password that nobody asked for ends the connection, unless an error lets it be passed over.
            assert!(count(b"p") > 0, "seed {seed}: no answer");
            let kinds = rest(socket);
            assert!(kinds.iter().all(|kind| KNOWN.contains(kind)), "seed {seed}: {}", String::from_utf8_lossy(&kinds));
            continue;
        };
        assert!(kinds.iter().all(|kind| KNOWN.contains(kind)), "seed {seed}: {}", String::from_utf8_lossy(&kinds));
        // Every Sync is answered; every Query and function call that is not passed over after an error, too.
        let ready = String::from_utf8_lossy(&kinds).matches('Z').count() - 2;
        let (least, most) = (count(b"S"), count(b"SQF"));
        assert!((least..=most).contains(&ready), "seed {seed}: {ready} answers to {least} to {most} messages");
        if count(b"PBDECH") == 0 {
            assert_eq!(ready, most, "seed {seed}: nothing may be passed over");
        }
    }
    // A good client is served as before.
    client.batch_execute("delete from f; insert into f values (1)").await.unwrap();
    assert_eq!(client.query_one("select count(*) from f", &[]).await.unwrap().get::<_, i64>(0), 1);
}
