//! The calls. They are told apart by their path, because the generated server would want a hundred methods that nobody calls.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use milvus::proto::common::Status as Inner;
use milvus::proto::milvus as m;
use milvus::proto::schema::{CollectionSchema, IDs, LongArray, i_ds};
use prost::Message;
use prost::bytes::{BufMut, Bytes, BytesMut};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Context, Poll, Service};
use tonic::server::NamedService;
use tonic::{Code, Status};

use crate::rows::Pieces;
use crate::sieve::Sieve;
use crate::world::{World, pair};

/// A flag that says whether it is compressed, and its length.
const MESSAGE_HEAD: usize = 5;

/// The server's one service.
#[derive(Clone)]
pub struct StandIn(Arc<Mutex<World>>);

impl StandIn {
    /// A service over this world.
    pub fn new(world: Arc<Mutex<World>>) -> Self {
        Self(world)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, method: &str, mut body: Body) -> Result<Pieces, Status> {
        let broken = |error: Status| Status::internal(error.to_string());
        if matches!(method, "Insert" | "Upsert") {
            let (mut sieve, mut bytes, mut head) = (Sieve::default(), 0, MESSAGE_HEAD);
            while let Some(frame) = body.frame().await {
                let Ok(mut data) = frame.map_err(broken)?.into_data() else { continue };
                let _head = data.split_to(head.min(data.len()));
                head -= _head.len();
                bytes += data.len() as u64;
                sieve.push(&data).map_err(Status::invalid_argument)?;
            }
            return Ok(self.inserted(sieve, bytes, method == "Upsert"));
        }
        let mut request = body.collect().await.map_err(broken)?.to_bytes();
        let _head = request.split_to(MESSAGE_HEAD.min(request.len()));
        self.small(method, request)
    }

    fn inserted(&self, sent: Sieve, bytes: u64, replaces: bool) -> Pieces {
        let answer = match self.world().insert(sent, bytes, replaces) {
            Ok(keys) => {
                let count = keys.len() as i64;
                m::MutationResult {
                    status: Some(Inner::default()),
                    i_ds: Some(IDs { id_field: Some(i_ds::IdField::IntId(LongArray { data: keys })) }),
                    insert_cnt: count,
                    upsert_cnt: if replaces { count } else { 0 },
                    ..m::MutationResult::default()
                }
            }
            Err(status) => m::MutationResult { status: Some(status), ..m::MutationResult::default() },
        };
        answer.encode_to_vec().into()
    }

    /// A call with a small request.
    fn small(&self, method: &str, request: Bytes) -> Result<Pieces, Status> {
        let mut world = self.world();
        let status = Some(Inner::default());
        Ok(match method {
            "GetVersion" => message(&m::GetVersionResponse { status, version: "v2.3.5-stand-in".to_owned() }),
            "ListDatabases" => {
                let db_names = vec!["default".to_owned()];
                message(&m::ListDatabasesResponse { status, db_names, ..Default::default() })
            }
            "ShowCollections" => {
                let collection_names = world.collections.keys().cloned().collect();
                message(&m::ShowCollectionsResponse { status, collection_names, ..Default::default() })
            }
            "DescribeCollection" => message(&describe(&mut world, &read(request)?)),
            "ShowPartitions" => {
                let partition_names = vec!["_default".to_owned()];
                message(&m::ShowPartitionsResponse { status, partition_names, ..Default::default() })
            }
            "HasPartition" => message(&m::BoolResponse { status, value: true }),
            "DescribeIndex" => message(&describe_index(&mut world, &read(request)?)),
            "GetLoadState" => {
                let request: m::GetLoadStateRequest = read(request)?;
                let state = match world.find(&request.collection_name) {
                    Ok(collection) if collection.loaded => 3,
                    Ok(_) => 1,
                    Err(_) => 0,
                };
                message(&m::GetLoadStateResponse { status, state })
            }
            "AllocTimestamp" => message(&m::AllocTimestampResponse { status, timestamp: 1 << 58 }),
            "GetCollectionStatistics" => {
                let request: m::GetCollectionStatisticsRequest = read(request)?;
                let rows = world.count(&request.collection_name).unwrap_or_default();
                let stats = vec![pair("row_count", &rows.to_string())];
                message(&m::GetCollectionStatisticsResponse { status, stats })
            }
            "Query" => match world.query(&read(request)?) {
                Ok(answer) => answer,
                Err(status) => message(&m::QueryResults { status: Some(status), ..Default::default() }),
            },
            "Flush" => message(&m::FlushResponse { status, ..Default::default() }),
            "GetFlushState" => message(&m::GetFlushStateResponse { status, flushed: true }),
            _ => message(&change(&mut world, method, request)?),
        })
    }
}

/// A call that is answered with nothing but a status.
fn change(world: &mut World, method: &str, request: Bytes) -> Result<Inner, Status> {
    let done = |found: Result<(), Inner>| Ok(found.err().unwrap_or_default());
    match method {
        "CreateDatabase" | "CreatePartition" => Ok(Inner::default()),
        "CreateCollection" => {
            let request: m::CreateCollectionRequest = read(request)?;
            let schema: CollectionSchema = read(request.schema.into())?;
            let made = world.make(&request.collection_name, schema);
            (made.shards, made.consistency) = (request.shards_num, request.consistency_level);
            made.properties.extend(request.properties.into_iter().map(|pair| (pair.key, pair.value)));
            Ok(Inner::default())
        }
        "DropCollection" => {
            let request: m::DropCollectionRequest = read(request)?;
            world.collections.remove(&request.collection_name);
            Ok(Inner::default())
        }
        "AlterCollection" => {
            let request: m::AlterCollectionRequest = read(request)?;
            let pairs = request.properties.into_iter().map(|pair| (pair.key, pair.value));
            done(world.find(&request.collection_name).map(|collection| collection.properties.extend(pairs)))
        }
        "CreateIndex" => {
            let request: m::CreateIndexRequest = read(request)?;
            let index = m::IndexDescription {
                index_name: request.index_name,
                field_name: request.field_name,
                params: request.extra_params,
                state: milvus::proto::common::IndexState::Finished.into(),
                ..Default::default()
            };
            done(world.find(&request.collection_name).map(|collection| collection.indexes.push(index)))
        }
        "LoadCollection" => {
            let request: m::LoadCollectionRequest = read(request)?;
            done(world.find(&request.collection_name).map(|collection| collection.loaded = true))
        }
        "ReleaseCollection" => {
            let request: m::ReleaseCollectionRequest = read(request)?;
            done(world.find(&request.collection_name).map(|collection| collection.loaded = false))
        }
        _ => Err(Status::unimplemented(format!("the stand-in has no {method}"))),
    }
}

fn describe(world: &mut World, request: &m::DescribeCollectionRequest) -> m::DescribeCollectionResponse {
    match world.find(&request.collection_name) {
        Ok(collection) => m::DescribeCollectionResponse {
            status: Some(Inner::default()),
            schema: Some(collection.schema.clone()),
            collection_id: collection.id,
            shards_num: collection.shards,
            consistency_level: collection.consistency,
            collection_name: request.collection_name.clone(),
            properties: collection.properties.iter().map(|(key, value)| pair(key, value)).collect(),
            ..Default::default()
        },
        Err(status) => m::DescribeCollectionResponse { status: Some(status), ..Default::default() },
    }
}

fn describe_index(world: &mut World, request: &m::DescribeIndexRequest) -> m::DescribeIndexResponse {
    match world.find(&request.collection_name) {
        Ok(collection) => {
            m::DescribeIndexResponse { status: Some(Inner::default()), index_descriptions: collection.indexes.clone() }
        }
        Err(status) => m::DescribeIndexResponse { status: Some(status), ..Default::default() },
    }
}

fn read<M: Message + Default>(request: Bytes) -> Result<M, Status> {
    M::decode(request).map_err(|error| Status::invalid_argument(error.to_string()))
}

fn message(message: &impl Message) -> Pieces {
    message.encode_to_vec().into()
}

impl NamedService for StandIn {
    const NAME: &'static str = "milvus.proto.milvus.MilvusService";
}

impl Service<http::Request<Body>> for StandIn {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<http::Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match this.answer(&method, request.into_body()).await {
                Ok(answer) => response(answer),
                Err(status) => status.into_http(),
            })
        })
    }
}

/// The answer in frames, the last of which says that all is well.
fn response(answer: Pieces) -> http::Response<Body> {
    let mut head = BytesMut::with_capacity(MESSAGE_HEAD);
    head.put_u8(0);
    head.put_u32(u32::try_from(answer.len()).unwrap_or(u32::MAX));
    let data = std::iter::once(head.freeze()).chain(answer.joined()).map(Frame::data);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from(Code::Ok as i32));
    let frames = data.chain([Frame::trailers(trailers)]).map(Ok::<_, Infallible>);
    let mut response = http::Response::new(Body::new(StreamBody::new(futures::stream::iter(frames))));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    response
}
