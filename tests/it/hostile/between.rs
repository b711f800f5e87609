//! A server between vecferry and a real server: it hands every call on, and a test decides what becomes of some of them. It
//! knows messages as bytes only, so that it can also send what no honest message says.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use prost::Message;
use prost::bytes::{Buf, BufMut, Bytes};
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Context, Poll, Service};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Status, client, server};

use crate::servers;

/// What becomes of a call.
pub enum Fate {
    /// The request goes to the real server, as it is or changed.
    Forward(Bytes),
    /// The real server never hears of it.
    Answer(Bytes),
    /// The body of the HTTP answer is this, whatever it is.
    Body(String),
}

/// What a test does to the calls: first when a request comes, then with the answer to what was forwarded.
type OnRequest = dyn Fn(&str, Bytes) -> Fate + Send + Sync;
type OnAnswer = dyn Fn(&str, &Bytes, Bytes) -> Bytes + Send + Sync;

/// A server that runs until the test process ends.
pub struct Between {
    uri: String,
}

impl Between {
    /// The address that a plan names instead of the real server's.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Changes the answers to one method. `change` sees the request too.
    pub fn answering<Q, R>(
        real: &servers::Server,
        method: &'static str,
        change: impl Fn(&Q, &mut R) + Send + Sync + 'static,
    ) -> Between
    where
        Q: Message + Default,
        R: Message + Default,
    {
        Between::bytes(real, method, move |request, answer| {
            let mut message = R::decode(answer).unwrap();
            change(&Q::decode(request.clone()).unwrap(), &mut message);
            message.encode_to_vec().into()
        })
    }

    /// Changes the bytes of the answers to one method.
    pub fn bytes(
        real: &servers::Server,
        method: &'static str,
        change: impl Fn(&Bytes, Bytes) -> Bytes + Send + Sync + 'static,
    ) -> Between {
        Between::start(
            real,
            Box::new(|_, request| Fate::Forward(request)),
            Box::new(move |called, request, answer| if called == method { change(request, answer) } else { answer }),
        )
    }

    /// Decides what becomes of the requests of some methods, before the real server hears of them; none hands one on.
    pub fn asking(
        real: &servers::Server,
        fate: impl Fn(&str, &Bytes) -> Option<Fate> + Send + Sync + 'static,
    ) -> Between {
        Between::start(
            real,
            Box::new(move |called, request| fate(called, &request).unwrap_or(Fate::Forward(request))),
            Box::new(|_, _, answer| answer),
        )
    }

    fn start(real: &servers::Server, on_request: Box<OnRequest>, on_answer: Box<OnAnswer>) -> Between {
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
        let channel = Endpoint::from_shared(real.uri().to_owned()).unwrap();
        let (relay, incoming) = RUNTIME.block_on(async {
            let relay =
                Relay { real: channel.connect_lazy(), on_request: on_request.into(), on_answer: on_answer.into() };
            (relay, TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap().with_nodelay(Some(true)))
        });
        let uri = format!("http://{}", incoming.local_addr().unwrap());
        RUNTIME.spawn(Server::builder().add_service(relay).serve_with_incoming(incoming));
        Between { uri }
    }
}

#[derive(Clone)]
struct Relay {
    real: Channel,
    on_request: Arc<OnRequest>,
    on_answer: Arc<OnAnswer>,
}

impl NamedService for Relay {
    const NAME: &'static str = "milvus.proto.milvus.MilvusService";
}

impl Service<http::Request<Body>> for Relay {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<http::Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path_and_query().unwrap().clone();
        let mut exchange = Exchange { relay: self.clone(), path, body: None };
        Box::pin(async move {
            let mut grpc =
                server::Grpc::new(Raw).max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX);
            let answer = grpc.unary(&mut exchange, request).await;
            let Some(body) = exchange.body.take() else { return Ok(answer) };
            Ok(http::Response::builder().header("content-type", "application/grpc").body(Body::new(body)).unwrap())
        })
    }
}

/// One call on its way.
struct Exchange {
    relay: Relay,
    path: http::uri::PathAndQuery,
    /// What is sent instead of an answer.
    body: Option<String>,
}

impl UnaryService<Bytes> for &mut Exchange {
    type Response = Bytes;
    type Future = BoxFuture<tonic::Response<Bytes>, Status>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (path, relay) = (self.path.clone(), self.relay.clone());
        let method = path.as_str().rsplit('/').next().unwrap_or_default().to_owned();
        let request = match (relay.on_request)(&method, request.into_inner()) {
            Fate::Forward(request) => request,
            Fate::Answer(answer) => return Box::pin(async { Ok(tonic::Response::new(answer)) }),
            Fate::Body(body) => {
                self.body = Some(body);
                return Box::pin(async { Ok(tonic::Response::new(Bytes::new())) });
            }
        };
        Box::pin(async move {
            let mut grpc = client::Grpc::new(relay.real.clone())
                .max_decoding_message_size(usize::MAX)
                .max_encoding_message_size(usize::MAX);
            grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let answer = grpc.unary(tonic::Request::new(request.clone()), path, Raw).await?;
            Ok(tonic::Response::new((relay.on_answer)(&method, &request, answer.into_inner())))
        })
    }
}

/// Messages as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
