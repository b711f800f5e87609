//! The few messages that rows travel in, in a form that keeps columns as they lie on the wire.
//!
//! The generated types hold each number, string and vector of a message as a value of its own, which costs more than all else
//! that is done to a row. Here a column of an answer is the bytes of its message, which are slices of the answer and are gone
//! through once, by `values.rs`; and a request is a list of pieces of memory, `rope.rs`. Numbers of the protocol (`schema.proto`,
//! `milvus.proto`) stand beside their names.

use bytes::{Buf, Bytes};
use milvus::proto::common::Status;
use milvus::proto::milvus::{MutationResult, QueryRequest};
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};
use tonic::client::Grpc;
use tonic::codec::ProstCodec;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::service::interceptor::InterceptedService;

use super::client::{Credentials, MAX_ANSWER, MAX_REQUEST};
use super::rope::Rope;
use super::ropeway::{self, Ropeway};

/// The connection that rows go through; cloning it is cheap.
pub type Rows = Grpc<InterceptedService<Ropeway, Credentials>>;

/// An answer to a query, with columns as bytes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Answer {
    #[prost(message, optional, tag = "1")]
    pub status: Option<Status>,
    #[prost(message, repeated, tag = "2")]
    pub fields_data: Vec<Column>,
    #[prost(uint64, tag = "5")]
    pub session_ts: u64,
}

/// A column of an answer (`FieldData`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct Column {
    #[prost(string, tag = "2")]
    pub name: String,
    /// Which rows are not null; newest servers say it within the data instead.
    #[prost(bool, repeated, tag = "7")]
    pub valid: Vec<bool>,
    #[prost(oneof = "Data", tags = "3, 4, 8")]
    pub data: Option<Data>,
}

/// What a column holds: the bytes of the message that says it.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Data {
    /// `ScalarField`
    #[prost(bytes = "bytes", tag = "3")]
    Scalars(Bytes),
    /// `VectorField`
    #[prost(bytes = "bytes", tag = "4")]
    Vectors(Bytes),
    /// `StructArrayField`
    #[prost(bytes = "bytes", tag = "8")]
    Structs(Bytes),
}

/// Bytes that are not what the protocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    /// A message, text, bytes, or packed numbers.
    Bytes(&'a [u8]),
}

/// The fields of a message, one after the other, with their numbers. The first error is the last item.
#[derive(Debug, Clone)]
pub struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    /// The fields of the message in `bytes`.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn piece(&mut self) -> Result<(u32, Piece<'a>), Malformed> {
        let (tag, wire_type) = decode_key(&mut self.0).map_err(|_| Malformed)?;
        let piece = match wire_type {
            WireType::LengthDelimited => {
                let length = decode_varint(&mut self.0).map_err(|_| Malformed)?;
                let length = usize::try_from(length).map_err(|_| Malformed)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
                self.0 = rest;
                Piece::Bytes(bytes)
            }
            WireType::Varint => Piece::Varint(decode_varint(&mut self.0).map_err(|_| Malformed)?),
            WireType::SixtyFourBit => Piece::Fixed64(self.array()?),
            WireType::ThirtyTwoBit => Piece::Fixed32(self.array()?),
            // Groups were given up before Milvus began.
            WireType::StartGroup | WireType::EndGroup => return Err(Malformed),
        };
        Ok((tag, piece))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*bytes)
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<(u32, Piece<'a>), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let piece = self.piece();
        if piece.is_err() {
            self.0 = &[];
        }
        Some(piece)
    }
}

/// Calls `put` for each of the integers in `message`, packed or not.
#[inline]
pub fn varints(message: &[u8], mut put: impl FnMut(u64) -> Result<(), Malformed>) -> Result<(), Malformed> {
    for piece in Pieces::of(message) {
        match piece? {
            (1, Piece::Bytes(mut packed)) => {
                while packed.has_remaining() {
                    put(decode_varint(&mut packed).map_err(|_| Malformed)?)?;
                }
            }
            (1, Piece::Varint(value)) => put(value)?,
            (1, _) => return Err(Malformed),
            // Something that a later version added.
            _ => {}
        }
    }
    Ok(())
}

/// The values of `W` bytes each in `message`, end to end. They are a slice of it where it holds them in one piece, as it
/// almost always does.
pub fn fixed<const W: usize>(message: &Bytes) -> Result<Bytes, Malformed> {
    let (mut first, mut merged) = (Bytes::new(), Vec::new());
    let mut append = |first: &Bytes, values: &[u8]| {
        if merged.is_empty() {
            merged.extend_from_slice(first);
        }
        merged.extend_from_slice(values);
    };
    for piece in Pieces::of(message) {
        match piece? {
            (1, Piece::Bytes(packed)) if packed.len().is_multiple_of(W) => {
                if first.is_empty() {
                    first = message.slice_ref(packed);
                } else {
                    append(&first, packed);
                }
            }
            (1, Piece::Fixed32(value)) if W == 4 => append(&first, &value),
            (1, Piece::Fixed64(value)) if W == 8 => append(&first, &value),
            (1, _) => return Err(Malformed),
            _ => {}
        }
    }
    Ok(if merged.is_empty() { first } else { merged.into() })
}

/// Asks for rows.
pub async fn query(rows: Rows, request: QueryRequest) -> Result<tonic::Response<Answer>, tonic::Status> {
    let request = ropeway::gathering(request, MAX_ANSWER);
    beside(async move {
        let answer = unary(rows, "/milvus.proto.milvus.MilvusService/Query", request).await?;
        let message = ropeway::gathered(answer).ok_or_else(|| tonic::Status::internal("the answer is no message"))?;
        let (metadata, message, extensions) = message.into_parts();
        // As the library says it.
        let answer = Answer::decode(message).map_err(|error| tonic::Status::internal(error.to_string()))?;
        Ok(tonic::Response::from_parts(metadata, answer, extensions))
    })
    .await
}

/// Sends rows that are to be inserted.
pub async fn insert(rows: Rows, request: Rope) -> Result<tonic::Response<MutationResult>, tonic::Status> {
    send(rows, "/milvus.proto.milvus.MilvusService/Insert", request).await
}

/// Sends rows that replace those of the same keys.
pub async fn upsert(rows: Rows, request: Rope) -> Result<tonic::Response<MutationResult>, tonic::Status> {
    send(rows, "/milvus.proto.milvus.MilvusService/Upsert", request).await
}

async fn send(rows: Rows, path: &'static str, request: Rope) -> Result<tonic::Response<MutationResult>, tonic::Status> {
    match too_large(&request) {
        Some(refused) => Err(refused),
        None => beside(unary(rows, path, ropeway::sending(request))).await,
    }
}

/// What the library says of a message beyond the limit. It does not see how large a rope is.
fn too_large(request: &Rope) -> Option<tonic::Status> {
    let (found, limit) = (request.len(), MAX_REQUEST);
    let message =
        || format!("Error, encoded message length too large: found {found} bytes, the limit is: {limit} bytes");
    (found > limit).then(|| tonic::Status::out_of_range(message()))
}

async fn unary<Q, R>(
    mut rows: Rows,
    path: &'static str,
    request: tonic::Request<Q>,
) -> Result<tonic::Response<R>, tonic::Status>
where
    Q: prost::Message + 'static,
    R: prost::Message + Default + 'static,
{
    rows.ready().await.map_err(|error| tonic::Status::unknown(format!("Service was not ready: {error}")))?;
    rows.unary(request, PathAndQuery::from_static(path), ProstCodec::default()).await
}

/// Waits for a request that goes its way as a [`Call`].
async fn beside<R: Send + 'static>(
    request: impl Future<Output = Result<R, tonic::Status>> + Send + 'static,
) -> Result<R, tonic::Status> {
    let mut call = Call(tokio::spawn(request));
    match (&mut call.0).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(tonic::Status::cancelled("the process is about to end")),
        },
    }
}

/// A request on its way, as a task of its own: it lives beside the connection, on the same thread for the most part, and wakes
/// whoever waits once, when the whole answer is there. Waited for directly, each of its frames of 16 KiB woke them and the
/// connection in turn, across threads, which took a sixth of a copy's processor time.
///
/// Nobody waits for a request that was dropped, so the task ends with this. What it has sent by then may still arrive, as with
/// every request whose answer is lost.
struct Call<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::super::status;
    use super::*;
    use crate::cluster::ErrorKind;

    #[test]
    fn a_request_beyond_the_limit_is_refused_as_one_that_may_be_sent_in_parts() {
        let piece = Bytes::from(vec![0; 1 << 20]);
        let mut request = Rope::default();
        while request.len() < MAX_REQUEST {
            request.bytes(piece.clone());
        }
        assert!(too_large(&request).is_none());
        request.bytes(vec![0]);
        let refused = too_large(&request).unwrap();
        assert_eq!(status::transport("http://127.0.0.1:1", "insert", &refused).kind, ErrorKind::TooLarge);
    }
}
