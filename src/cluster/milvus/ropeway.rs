//! The connection that rows go through: it takes the message of a request from its rope, and puts that of an answer together by
//! columns. The library would have either in one piece of memory, which costs a copy of all vectors each way.
//!
//! The library still does all else: heads and trailers, statuses, and errors of the connection. What it is to do in another way
//! stands in the extensions of a request, where it does not look, and an answer's message comes back the same way.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Body as _, Frame};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::transport::{Channel, Error};

use super::gather::{Gathered, Gatherer};
use super::rope::{Pieces, Rope};

/// What gRPC puts before each message: whether it is compressed, which none is here, and its length.
const HEAD: usize = 5;

/// A request with a rope as its message.
pub fn sending(rope: Rope) -> tonic::Request<()> {
    let mut request = tonic::Request::new(());
    request.extensions_mut().insert(rope);
    request
}

/// The request with the wish that its answer, if it has no more than so many bytes, be put together by columns. The message that
/// the library sees then is empty, and [`gathered`] has the real one.
pub fn gathering<T>(message: T, most: usize) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.extensions_mut().insert(Most(most));
    request
}

/// The message of an answer that was asked for by [`gathering`]; none of any other.
pub fn gathered(answer: tonic::Response<()>) -> Option<tonic::Response<Gathered>> {
    let (metadata, (), mut extensions) = answer.into_parts();
    let message = extensions.remove()?;
    Some(tonic::Response::from_parts(metadata, message, extensions))
}

/// Most bytes of an answer.
#[derive(Debug, Clone, Copy)]
struct Most(usize);

/// A connection.
#[derive(Debug, Clone)]
pub struct Ropeway(pub Channel);

impl Service<http::Request<Body>> for Ropeway {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = BoxFuture<http::Response<Body>, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        if let Some(rope) = request.extensions_mut().remove::<Rope>() {
            *request.body_mut() = Body::new(Frames::of(rope));
        }
        let most = request.extensions_mut().remove::<Most>();
        let answering = self.0.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            Ok(match most {
                Some(Most(most)) => gather(answer, most).await,
                None => answer,
            })
        })
    }
}

/// Takes the message out of an answer. What is not one message with its head, or a longer one than wanted, is left to the library,
/// which has words for it.
async fn gather(answer: http::Response<Body>, most: usize) -> http::Response<Body> {
    let (mut parts, mut body) = answer.into_parts();
    let (mut head, mut gatherer, mut trailers) = (BytesMut::with_capacity(HEAD), Gatherer::default(), None);
    let refused = loop {
        match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut data) => {
                    if head.len() < HEAD {
                        head.put(data.split_to(data.len().min(HEAD - head.len())));
                        let Some(bytes) = length(&head) else { continue };
                        if head[0] != 0 || bytes > most {
                            return again(parts, [Ok(Frame::data(head.freeze())), Ok(Frame::data(data))], Some(body));
                        }
                        gatherer = Gatherer::of(bytes);
                    }
                    if data.len() > gatherer.missing() {
                        break Some(Status::internal("the answer is longer than it says"));
                    }
                    gatherer.take(&data);
                }
                Err(frame) => trailers = Some(frame),
            },
            Some(Err(error)) => break Some(error),
            None if head.is_empty() => break None,
            None if head.len() < HEAD || gatherer.missing() > 0 => {
                // As the library says it.
                break Some(Status::internal("Unexpected EOF decoding stream."));
            }
            None => {
                parts.extensions.insert(gatherer.gathered());
                let empty = Frame::data(Bytes::from_static(&[0; HEAD]));
                return again(parts, [Ok(empty)].into_iter().chain(trailers.map(Ok)), None);
            }
        }
    };
    again(parts, refused.map(Err).into_iter().chain(trailers.map(Ok)), None)
}

fn length(head: &[u8]) -> Option<usize> {
    let bytes: [u8; 4] = head.get(1..HEAD)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes) as usize)
}

/// The answer with these frames, and those of `body` after them.
fn again(
    parts: http::response::Parts,
    first: impl IntoIterator<Item = Result<Frame<Bytes>, Status>>,
    body: Option<Body>,
) -> http::Response<Body> {
    http::Response::from_parts(parts, Body::new(Again { first: first.into_iter().collect(), body }))
}

/// The body of an answer of which some was read.
struct Again {
    first: VecDeque<Result<Frame<Bytes>, Status>>,
    body: Option<Body>,
}

impl http_body::Body for Again {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match (self.first.pop_front(), &mut self.body) {
            (Some(frame), _) => Poll::Ready(Some(frame)),
            (None, Some(body)) => Pin::new(body).poll_frame(cx),
            (None, None) => Poll::Ready(None),
        }
    }
}

/// The body of a request: a rope behind its head.
struct Frames {
    head: Option<Bytes>,
    pieces: Pieces,
}

impl Frames {
    fn of(rope: Rope) -> Self {
        let mut head = BytesMut::with_capacity(HEAD);
        head.put_u8(0);
        // Who sends has refused what is larger than a request may be, which is far less.
        head.put_u32(u32::try_from(rope.len()).unwrap_or(u32::MAX));
        Self { head: Some(head.freeze()), pieces: rope.pieces() }
    }
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.head.take().or_else(|| self.pieces.next());
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;
    use tonic::Code;
    use tonic::client::Grpc;
    use tonic::codec::ProstCodec;
    use tonic::codegen::http::uri::PathAndQuery;

    use super::*;

    /// A connection on which each request is answered by these frames.
    #[derive(Clone)]
    struct Answering(Vec<Result<Bytes, Code>>);

    impl Service<http::Request<Body>> for Answering {
        type Response = http::Response<Body>;
        type Error = Error;
        type Future = BoxFuture<http::Response<Body>, Error>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
            let mut frames: Vec<Result<Frame<Bytes>, Status>> = Vec::new();
            for frame in &self.0 {
                frames.push(match frame {
                    Ok(data) => Ok(Frame::data(data.clone())),
                    Err(Code::Aborted) => Err(Status::aborted("the connection broke")),
                    Err(code) => {
                        let status = http::HeaderValue::from(*code as i32);
                        Ok(Frame::trailers(
                            [(http::HeaderName::from_static("grpc-status"), status)].into_iter().collect(),
                        ))
                    }
                });
            }
            let answer = again(http::Response::new(()).into_parts().0, frames, None);
            let Most(most) = request.extensions_mut().remove().unwrap();
            Box::pin(async move { Ok(gather(answer, most).await) })
        }
    }

    /// What a caller gets where the answer comes in these frames and may have 20 bytes.
    async fn ask(frames: &[Result<&'static [u8], Code>]) -> Result<Vec<u8>, (Code, String)> {
        let frames = frames.iter().map(|frame| frame.map(Bytes::from_static)).collect();
        let mut client = Grpc::new(Answering(frames)).max_decoding_message_size(20);
        let answer = client.unary(gathering((), 20), PathAndQuery::from_static("/"), ProstCodec::default()).await;
        let answer = answer.map_err(|status| (status.code(), status.message().to_owned()))?;
        let mut message = gathered(answer).unwrap().into_inner();
        Ok(message.copy_to_bytes(message.remaining()).to_vec())
    }

    #[tokio::test]
    async fn a_message_comes_whole_however_it_was_cut() {
        for frames in [&[&[0, 0, 0, 0, 3, 7, 8, 9][..]][..], &[&[0, 0], &[0, 0, 3, 7], &[], &[8, 9]]] {
            let frames: Vec<_> = frames.iter().copied().map(Ok).chain([Err(Code::Ok)]).collect();
            assert_eq!(ask(&frames).await.unwrap(), [7, 8, 9]);
        }
        assert_eq!(ask(&[Ok(&[0; HEAD]), Err(Code::Ok)]).await.unwrap(), [0; 0]);
    }

    #[tokio::test]
    async fn what_is_no_whole_message_is_an_error() {
        let refused = |result: Result<Vec<u8>, (Code, String)>| result.unwrap_err();
        assert_eq!(refused(ask(&[Err(Code::Unavailable)]).await).0, Code::Unavailable);
        assert_eq!(refused(ask(&[Ok(&[0, 0, 0, 0, 1, 7]), Err(Code::Internal)]).await).0, Code::Internal);
        for cut in [&[0, 0][..], &[0, 0, 0, 0, 3], &[0, 0, 0, 0, 3, 7]] {
            assert!(refused(ask(&[Ok(cut)]).await).1.contains("Unexpected EOF"), "{cut:?}");
            assert_eq!(refused(ask(&[Ok(cut), Err(Code::Aborted)]).await).0, Code::Aborted, "{cut:?}");
        }
        assert!(refused(ask(&[Ok(&[0, 0, 0, 0, 1, 7, 7])]).await).1.contains("longer than it says"));
        let (code, message) = refused(ask(&[Ok(&[0, 0, 0]), Ok(&[0, 21, 7]), Ok(&[7; 20])]).await);
        assert!(code == Code::OutOfRange && message.contains("too large"), "{code:?} {message}");
        assert!(refused(ask(&[Ok(&[1, 0, 0, 0, 1, 7])]).await).1.contains("compress"));
    }

    #[tokio::test]
    async fn a_message_is_sent_behind_its_length() {
        let mut rope = Rope::default();
        rope.bytes(vec![9; 3]);
        let mut frames = Box::pin(Frames::of(rope));
        let mut sent = Vec::new();
        while let Some(frame) = std::future::poll_fn(|cx| frames.as_mut().poll_frame(cx)).await {
            sent.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        assert_eq!(sent, [0, 0, 0, 0, 3, 9, 9, 9]);
    }
}
