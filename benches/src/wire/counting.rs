//! A connection whose rows are counted and dropped before the client sees them, so that what is measured is how fast a
//! server sends, not how fast a client takes rows apart. Everything else of the protocol is the client's.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are asked of the socket at once.
const CHUNK: usize = 256 << 10;

/// Bytes before a message's content: its type, and its length (its own four bytes counted).
const HEADER: usize = 5;

/// The type of a message with a row.
const ROW: u8 = b'D';

/// A stream of PostgreSQL's messages without those of rows.
#[derive(Debug)]
pub(super) struct Counting<S> {
    stream: S,
    /// What was read; of it, the first `taken` bytes are done with.
    read: Box<[u8]>,
    taken: usize,
    filled: usize,
    /// Bytes of the present message that are still to come, and whether the client sees them.
    rest: usize,
    shown: bool,
    rows: Arc<AtomicUsize>,
}

impl<S> Counting<S> {
    /// The rows of `stream` are added to `rows`.
    pub(super) fn new(stream: S, rows: Arc<AtomicUsize>) -> Self {
        let read = vec![0; CHUNK].into_boxed_slice();
        Self { stream, read, taken: 0, filled: 0, rest: 0, shown: false, rows }
    }

    /// Drops rows; the range of bytes that the client is to see next, empty when more has to be read first.
    fn next(&mut self) -> std::ops::Range<usize> {
        let mut rows = 0;
        let shown = loop {
            if self.rest == 0 {
                let Some(header) = self.read[self.taken..self.filled].first_chunk::<HEADER>() else {
                    break self.taken..self.taken;
                };
                let [kind, length @ ..] = *header;
                self.rest = 1 + u32::from_be_bytes(length) as usize;
                self.shown = kind != ROW;
                rows += usize::from(!self.shown);
            }
            let end = self.filled.min(self.taken + self.rest);
            if self.shown {
                break self.taken..end;
            }
            self.rest -= end - self.taken;
            self.taken = end;
            if self.rest > 0 {
                break end..end;
            }
        };
        self.rows.fetch_add(rows, Ordering::Relaxed);
        shown
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counting<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let shown = this.next();
            let length = shown.len().min(into.remaining());
            if length > 0 {
                into.put_slice(&this.read[shown.start..shown.start + length]);
                this.taken += length;
                this.rest -= length;
                return Poll::Ready(Ok(()));
            }
            // What is left is less than a header.
            this.read.copy_within(this.taken..this.filled, 0);
            this.filled -= this.taken;
            this.taken = 0;
            let mut more = ReadBuf::new(&mut this.read[this.filled..]);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut more))?;
            let came = more.filled().len();
            if came == 0 {
                return Poll::Ready(Ok(()));
            }
            this.filled += came;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counting<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn message(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 4).unwrap();
        [&[kind], &length.to_be_bytes()[..], content].concat()
    }

    /// A stream that gives `chunks` of bytes at a time.
    async fn seen(bytes: &[u8], chunks: usize) -> (Vec<u8>, usize) {
        let (mut server, client) = tokio::io::duplex(chunks);
        let rows = Arc::new(AtomicUsize::new(0));
        let mut stream = Counting::new(client, Arc::clone(&rows));
        let bytes = bytes.to_vec();
        let sent = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            server.write_all(&bytes).await
        });
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.unwrap();
        sent.await.unwrap().unwrap();
        (seen, rows.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn rows_are_counted_and_all_else_is_seen() {
        let (ready, large) = (message(b'Z', b"I"), message(b'S', &vec![7; 3 * CHUNK]));
        let (row, empty) = (message(ROW, &vec![1; CHUNK + 3]), message(ROW, b""));
        let sent = [&ready[..], &row, &empty, &empty, &large, &row, &ready].concat();
        for chunks in [1 << 20, 1009, 3] {
            let (seen, rows) = seen(&sent, chunks).await;
            assert_eq!(rows, 4);
            assert!(seen == [&ready[..], &large, &ready].concat(), "in chunks of {chunks}");
        }
    }
}
