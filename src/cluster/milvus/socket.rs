//! The socket under a connection, with room before and behind it.
//!
//! HTTP/2 sends rows in frames of 16 KiB, because servers take no larger ones, and asks the system for each of them: once to
//! send its head and its body, and at least once to receive it. Measured, those calls cost more than everything else that is
//! done to a row. Here many frames are read at once and written at once, for one more copy of bytes that are still in the
//! processor's cache.
//!
//! A flush is asked for after every frame, also where the next one is already waiting to be written. So it is put off until the
//! connection was polled once more: by then it has written all that it has, and asks for what there is to read.
//!
//! A connection reads for as long as there is something to read, and on a quick network there always is: megabytes of frames lay
//! waiting before those whom they were for had a turn, and were no longer in the cache by then. So whoever has read much waits for
//! their next turn, which costs nothing where nobody else has work.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::codegen::http::Uri;
use tonic::codegen::{BoxFuture, Service, StdError};

/// Bytes that are read at once. They, the frames made of them, and the end of the column that these go to are to be in the cache
/// together: 512 KiB cost a twentieth more of the client's whole time. 128 KiB ask the system too often.
const RECEIVED: usize = 256 << 10;
/// Bytes that are written at once. Each call wakes the other side, so 256 KiB cost a twentieth more; 1 MiB brings nothing.
const SENT: usize = 512 << 10;
/// Bytes after which others have their turn before more is read: more than the answer to any small request.
const MUCH: usize = 64 << 10;

/// Opens sockets as tonic would.
#[derive(Debug, Clone)]
pub struct Connector(pub HttpConnector);

impl Service<Uri> for Connector {
    type Response = TokioIo<Roomy<TcpStream>>;
    type Error = StdError;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let opening = self.0.call(uri);
        Box::pin(async move { Ok(TokioIo::new(Roomy::new(opening.await?.into_inner()))) })
    }
}

/// A stream of bytes with room for some that were received and not asked for yet, and some that are to be sent.
#[derive(Debug)]
pub struct Roomy<T> {
    stream: T,
    received: Vec<u8>,
    /// What of `received` was not asked for yet.
    unread: std::ops::Range<usize>,
    to_send: Vec<u8>,
    /// Whether a flush was put off.
    put_off: bool,
    /// Whether much was received at once, so that it is the others' turn.
    sated: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Roomy<T> {
    /// Nothing received and nothing to send.
    pub fn new(stream: T) -> Self {
        Self {
            stream,
            received: vec![0; RECEIVED],
            unread: 0..0,
            to_send: Vec::with_capacity(SENT),
            put_off: false,
            sated: false,
        }
    }

    /// Sends all that is to be sent.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = 0;
        let result = loop {
            if sent == self.to_send.len() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.to_send[sent..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => sent += bytes,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.to_send.drain(..sent);
        result
    }

    fn poll_send_now(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        self.put_off = false;
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Roomy<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.put_off {
            // What cannot be sent yet wakes the connection again when it can. An error shows at the next write, so that what came
            // before the other side hung up can still be read.
            let _sent = this.poll_send_now(cx);
        }
        if this.unread.is_empty() {
            if std::mem::take(&mut this.sated) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut received = ReadBuf::new(&mut this.received);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut received))?;
            this.unread = 0..received.filled().len();
            this.sated = this.unread.len() >= MUCH;
        }
        let bytes = buffer.remaining().min(this.unread.len());
        buffer.put_slice(&this.received[this.unread.start..][..bytes]);
        this.unread.start += bytes;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Roomy<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.to_send.len() >= SENT {
            ready!(self.poll_send(cx))?;
        }
        let before = self.to_send.len();
        for slice in slices {
            let bytes = slice.len().min(SENT - self.to_send.len());
            self.to_send.extend_from_slice(&slice[..bytes]);
        }
        Poll::Ready(Ok(self.to_send.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.to_send.len() >= SENT {
            return self.poll_send_now(cx);
        }
        if !self.to_send.is_empty() && !self.put_off {
            self.put_off = true;
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send_now(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use futures::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Notes that a connection asks to be polled again.
    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn what_was_flushed_is_sent_when_the_connection_is_polled_again() {
        let (here, mut there) = duplex(1 << 20);
        let mut socket = Roomy::new(here);
        let woken = Arc::new(Woken::default());
        let waker = woken.clone().into();
        let cx = &mut Context::from_waker(&waker);
        for frame in [&b"one "[..], b"two ", b"three"] {
            assert!(matches!(Pin::new(&mut socket).poll_write(cx, frame), Poll::Ready(Ok(all)) if all == frame.len()));
            assert!(Pin::new(&mut socket).poll_flush(cx).is_ready());
        }
        assert!(woken.0.load(Ordering::SeqCst), "nobody would poll the connection again");
        let (mut nothing, mut arrived) = ([0; 1], [0; 13]);
        assert!(Pin::new(&mut socket).poll_read(cx, &mut ReadBuf::new(&mut nothing)).is_pending());
        assert_eq!(there.read_exact(&mut arrived).now_or_never().unwrap().unwrap(), 13);
        assert_eq!(&arrived, b"one two three");
    }

    #[tokio::test]
    async fn everything_arrives_through_a_pipe_that_is_narrower_than_the_room() {
        let (here, there) = duplex(1000);
        let bytes: Vec<u8> = (0..SENT * 5 + 17).map(|number| (number % 251) as u8).collect();
        let (mut socket, sent) = (Roomy::new(here), bytes.clone());
        let sending = async move {
            for frame in sent.chunks(16_393) {
                socket.write_all(frame).await.unwrap();
                socket.flush().await.unwrap();
            }
            socket.shutdown().await.unwrap();
        };
        let receiving = async {
            let (mut socket, mut all) = (Roomy::new(there), Vec::new());
            socket.read_to_end(&mut all).await.unwrap();
            all
        };
        let ((), arrived) = tokio::join!(sending, receiving);
        assert!(arrived == bytes, "{} of {} bytes", arrived.len(), bytes.len());
    }

    #[tokio::test]
    async fn who_has_read_much_waits_for_their_next_turn() {
        let (here, mut there) = duplex(4 * RECEIVED);
        there.write_all(&vec![7; 2 * RECEIVED + 5]).await.unwrap();
        let mut socket = Roomy::new(here);
        let woken = Arc::new(Woken::default());
        let waker = woken.clone().into();
        let cx = &mut Context::from_waker(&waker);
        let mut bytes = vec![0; RECEIVED];
        for _turn in 0..2 {
            let mut all = ReadBuf::new(&mut bytes);
            assert!(Pin::new(&mut socket).poll_read(cx, &mut all).is_ready());
            assert_eq!(all.filled().len(), RECEIVED);
            assert!(!woken.0.swap(false, Ordering::SeqCst));
            assert!(Pin::new(&mut socket).poll_read(cx, &mut ReadBuf::new(&mut [0; 9])).is_pending());
            assert!(woken.0.swap(false, Ordering::SeqCst), "nobody would poll the connection again");
        }
        // After little there is nothing to wait for but more.
        let (mut rest, mut nothing) = ([0; 9], [0; 9]);
        let mut rest = ReadBuf::new(&mut rest);
        assert!(Pin::new(&mut socket).poll_read(cx, &mut rest).is_ready());
        assert_eq!(rest.filled(), [7; 5]);
        assert!(Pin::new(&mut socket).poll_read(cx, &mut ReadBuf::new(&mut nothing)).is_pending());
        assert!(!woken.0.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_broken_pipe_is_an_error_and_no_silence() {
        let (here, there) = duplex(1000);
        let mut socket = Roomy::new(here);
        drop(there);
        socket.write_all(b"lost").await.unwrap();
        assert!(socket.shutdown().await.is_err());
    }
}
