//! One client's socket: frames in, bytes out, both buffered.
//!
//! Input is bounded: a frame may have so many bytes before and after the login, and while a statement runs only a
//! little is read ahead, so that a client that vanishes is seen and one that floods is not.

use super::failure::Failure;
use super::message::{self, Message, violation};
use bytes::{Buf, Bytes, BytesMut};
use futures::FutureExt;
use millrace_engine::{Error, ErrorKind};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a frame after the login.
const MOST_BYTES: usize = 256 << 20;
/// Bytes of a frame before it: passwords and what SASL needs.
const MOST_BYTES_BEFORE_LOGIN: usize = 64 << 10;
/// Bytes of the first message, as PostgreSQL has it.
const MOST_STARTUP_BYTES: usize = 10_000;
/// Bytes read ahead while a statement runs.
const READ_AHEAD: usize = 1 << 20;
/// Output that is worth sending.
pub(super) const FULL: usize = 64 << 10;
/// A buffer that has grown larger than this is given back when it is empty.
const KEPT: usize = 1 << 20;
/// How long a client may take to read what is left when its connection ends.
const GOODBYE: Duration = Duration::from_secs(2);
/// What one read asks for.
const CHUNK: usize = 8 << 10;

/// What a client is connected by: plain or under TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// A socket with its buffers.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
    most_bytes: usize,
}

impl Wire {
    /// A socket that nothing was read from; before the login.
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new(), most_bytes: MOST_BYTES_BEFORE_LOGIN }
    }

    /// Allows large messages: the client is known.
    pub(super) fn trust_sizes(&mut self) {
        self.most_bytes = MOST_BYTES;
    }

    /// The socket itself, for TLS to be put around it.
    ///
    /// # Errors
    /// `ProtocolViolation` when something was sent before the answer to the wish for TLS, as somebody in between would.
    pub(super) fn into_stream(self) -> Result<Box<dyn Stream>, Failure> {
        if self.input.is_empty() {
            return Ok(self.stream);
        }
        Err(Failure::Fatal(violation("received unencrypted data after SSL request")))
    }

    /// The first message: its code and what follows. `None` when the client closes at once.
    pub(super) async fn startup(&mut self) -> Result<Option<(u32, Bytes)>, Failure> {
        while self.input.len() < 4 {
            if !self.read().await? {
                return if self.input.is_empty() { Ok(None) } else { Err(Failure::Gone(closed())) };
            }
        }
        let length = u32::from_be_bytes([self.input[0], self.input[1], self.input[2], self.input[3]]) as usize;
        if !(8..=MOST_STARTUP_BYTES).contains(&length) {
            return Err(Failure::Fatal(violation("invalid length of startup packet")));
        }
        self.fill(length).await?;
        let mut frame = self.input.split_to(length);
        frame.advance(4);
        let code = frame.get_u32();
        Ok(Some((code, frame.freeze())))
    }

    /// The next frame: its type and body. `None` when the client closes between messages.
    pub(super) async fn frame(&mut self) -> Result<Option<(u8, Bytes)>, Failure> {
        if self.input.is_empty() && self.input.capacity() > KEPT {
            self.input = BytesMut::new();
        }
        while self.input.len() < 5 {
            // Nothing is held back from a client that may be waiting for it.
            self.flush().await?;
            if !self.read().await? {
                return if self.input.is_empty() { Ok(None) } else { Err(Failure::Gone(closed())) };
            }
        }
        let kind = self.input[0];
        if !message::is_known(kind) {
            return Err(Failure::Fatal(violation(format!("invalid frontend message type {kind}"))));
        }
        let length = u32::from_be_bytes([self.input[1], self.input[2], self.input[3], self.input[4]]) as usize;
        if length < 4 {
            return Err(Failure::Fatal(violation("invalid message length")));
        }
        if length > self.most_bytes {
            let message = format!("a message of {length} bytes is longer than {}", self.most_bytes);
            return Err(Failure::Fatal(Error::new(ErrorKind::LimitExceeded, message)));
        }
        self.fill(1 + length).await?;
        let mut frame = self.input.split_to(1 + length);
        frame.advance(5);
        Ok(Some((kind, frame.freeze())))
    }

    /// The next message. An error in its body comes with its type: the connection goes on.
    pub(super) async fn next(&mut self) -> Result<Option<(u8, millrace_engine::Result<Message>)>, Failure> {
        let Some((kind, body)) = self.frame().await? else { return Ok(None) };
        Ok(Some((kind, message::decode(kind, body))))
    }

    /// Whether the client's next messages end the group that it is in, after at most one Execute: they are here
    /// already, since clients send a statement's messages together. Nothing is waited for.
    pub(super) fn ends_group(&mut self) -> Result<bool, Failure> {
        let mut ends = group_ends(&self.input);
        if ends.is_none()
            && let Some(read) = self.read().now_or_never()
        {
            read?;
            ends = group_ends(&self.input);
        }
        Ok(ends.unwrap_or(false))
    }

    async fn fill(&mut self, length: usize) -> Result<(), Failure> {
        while self.input.len() < length {
            self.flush().await?;
            if !self.read().await? {
                return Err(Failure::Gone(closed()));
            }
        }
        Ok(())
    }

    /// Reads some bytes; `false` at the end.
    async fn read(&mut self) -> Result<bool, Failure> {
        self.input.reserve(CHUNK);
        Ok(self.stream.read_buf(&mut self.input).await.map_err(Failure::Gone)? > 0)
    }

    /// Ends when the client is gone, and reads ahead a little meanwhile. Dropping it loses nothing.
    pub(super) async fn gone(&mut self) -> Failure {
        loop {
            if self.input.len() >= READ_AHEAD {
                std::future::pending::<()>().await;
            }
            match self.read().await {
                Ok(true) => {}
                Ok(false) => return Failure::Gone(closed()),
                Err(failure) => return failure,
            }
        }
    }

    /// Adds a message to the output.
    pub(super) fn push(&mut self, message: &impl pgwire::messages::Message) -> Result<(), Failure> {
        message.encode(&mut self.output).map_err(|e| Failure::Fatal(Error::internal(e.to_string())))
    }

    /// The output, for messages that are written without a type of their own.
    pub(super) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Whether enough has gathered to be sent.
    pub(super) fn is_full(&self) -> bool {
        self.output.len() >= FULL
    }

    /// Sends everything. Dropping it half-way loses nothing and sends nothing twice.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        if self.output.is_empty() {
            return Ok(());
        }
        while self.output.has_remaining() {
            if self.stream.write_buf(&mut self.output).await.map_err(Failure::Gone)? == 0 {
                return Err(Failure::Gone(closed()));
            }
        }
        if self.output.capacity() > KEPT {
            self.output = BytesMut::new();
        }
        self.stream.flush().await.map_err(Failure::Gone)
    }

    /// Sends everything and says goodbye, to a client that reads it soon.
    pub(super) async fn close(&mut self) {
        let goodbye = async {
            self.flush().await?;
            self.stream.shutdown().await.map_err(Failure::Gone)
        };
        // It may be gone already; then there is nobody to say it to.
        if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
            tracing::debug!("a client did not read its last messages");
        }
    }
}

/// Whether the frames in a buffer come to Sync with no statement before it but the one that runs; `None` when they do
/// not reach so far.
fn group_ends(mut input: &[u8]) -> Option<bool> {
    let mut executed = false;
    loop {
        let (head, rest) = input.split_first_chunk::<5>()?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        match head[0] {
            b'S' => return Some(true),
            b'E' if !executed => executed = true,
            // What only asks or forgets.
            b'C' | b'D' | b'H' => {}
            _ => return Some(false),
        }
        input = rest.get(length.checked_sub(4)?..)?;
    }
}

fn closed() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::group_ends;

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap_or(0).to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    #[test]
    fn a_group_ends_at_sync() {
        let (execute, close, sync, bind) =
            (frame(b'E', b"\0\0\0\0\0"), frame(b'C', b"P\0"), frame(b'S', b""), frame(b'B', b"x"));
        for (frames, expected) in [
            (vec![&sync], Some(true)),
            (vec![&close, &sync], Some(true)),
            (vec![&execute, &sync], Some(true)),
            (vec![&execute, &execute, &sync], Some(false)),
            (vec![&bind, &execute, &sync], Some(false)),
            (vec![&close], None),
            (vec![], None),
        ] {
            let input: Vec<u8> = frames.into_iter().flatten().copied().collect();
            assert_eq!(group_ends(&input), expected, "{input:?}");
        }
        assert_eq!(group_ends(&sync[..3]), None);
        assert_eq!(group_ends(b"C\0\0\0\0S"), None);
    }
}
