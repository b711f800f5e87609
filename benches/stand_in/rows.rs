//! The rows, made once and handed out as slices. Keys count up from zero, and all else repeats after a few thousand rows: an
//! answer is some bytes of its own between long slices of memory that no request copies.

use std::ops::Range;

use prost::bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint};

/// Bytes of vectors that are made.
const RING_BYTES: usize = 16 << 20;
const TITLE_BYTES: usize = 200;

/// The rows of the source.
pub struct Rows {
    /// How many there are.
    pub count: u32,
    /// Dimension of the vectors.
    pub dim: u32,
    /// Whether there are a text and a JSON object in each row.
    pub text: bool,
    /// Rows until everything but the key repeats.
    ring: usize,
    vectors: Ring,
    titles: Ring,
    extras: Ring,
}

/// Values of all rows of the ring as they are on the wire, each of the same length.
struct Ring {
    bytes: Bytes,
    width: usize,
}

/// A message in pieces.
#[derive(Default)]
pub struct Pieces(Vec<Bytes>);

impl Rows {
    /// Makes them up.
    pub fn new(count: u32, dim: u32, text: bool) -> Self {
        let width = dim as usize * 4;
        let ring = (RING_BYTES / width.max(1)).clamp(1, 4096);
        let mut vectors = BytesMut::with_capacity(ring * width);
        let mut state = 1_u64;
        for _ in 0..ring * dim as usize {
            // A generator of numbers without any pattern that matters here.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            vectors.put_f32_le((state >> 40) as f32 / (1 << 23) as f32 - 1.0);
        }
        let texts = |value: &dyn Fn(usize) -> String| {
            let mut all = BytesMut::new();
            for row in 0..if text { ring } else { 0 } {
                let value = value(row);
                encode_key(1, WireType::LengthDelimited, &mut all);
                encode_varint(value.len() as u64, &mut all);
                all.put_slice(value.as_bytes());
            }
            Ring { width: all.len() / ring, bytes: all.freeze() }
        };
        let titles = texts(&|row| format!("{row:04}: {:.<1$}", "lantern and tide ", TITLE_BYTES - 6));
        let extras =
            texts(&|row| format!(r#"{{"score": {row:04}.125, "tags": ["a", "b"], "source": {{"page": 17}}}}"#));
        Self { count, dim, text, ring, vectors: Ring { bytes: vectors.freeze(), width }, titles, extras }
    }

    /// Names of the columns.
    pub fn columns(&self) -> &'static [&'static str] {
        if self.text { &["id", "vector", "title", "extra"] } else { &["id", "vector"] }
    }

    /// An answer with some columns of the rows of some runs of keys.
    pub fn answer(&self, runs: &[Range<u32>], columns: &[String]) -> Pieces {
        let mut answer = Pieces::default();
        // An empty status is one that is well.
        answer.delimited(1, Pieces::default());
        for column in columns {
            answer.delimited(2, self.column(column, runs));
        }
        answer
    }

    fn column(&self, name: &str, runs: &[Range<u32>]) -> Pieces {
        let (number, values) = match name {
            "vector" => {
                let mut vectors = Pieces::default();
                vectors.number(1, u64::from(self.dim));
                // The floats of all rows as one packed field.
                vectors.delimited(2, within(1, self.sliced(&self.vectors, runs)));
                (101, (4, vectors))
            }
            "title" => (21, (3, within(6, self.sliced(&self.titles, runs)))),
            "extra" => (23, (3, within(9, self.sliced(&self.extras, runs)))),
            _ => {
                let mut keys = BytesMut::new();
                runs.iter().cloned().flatten().for_each(|key| encode_varint(u64::from(key), &mut keys));
                (5, (3, within(3, within(1, Pieces(vec![keys.freeze()])))))
            }
        };
        let mut data = Pieces::default();
        data.number(1, number);
        data.delimited(2, Pieces(vec![Bytes::copy_from_slice(name.as_bytes())]));
        data.delimited(values.0, values.1);
        data
    }

    /// The values of some runs of rows.
    fn sliced(&self, values: &Ring, runs: &[Range<u32>]) -> Pieces {
        let mut pieces = Pieces::default();
        for run in runs {
            let (mut row, end) = (run.start as usize, run.end as usize);
            while row < end {
                let at = row % self.ring;
                let rows = (self.ring - at).min(end - row);
                pieces.0.push(values.bytes.slice(at * values.width..(at + rows) * values.width));
                row += rows;
            }
        }
        pieces
    }
}

fn within(tag: u32, inner: Pieces) -> Pieces {
    let mut outer = Pieces::default();
    outer.delimited(tag, inner);
    outer
}

impl Pieces {
    fn delimited(&mut self, tag: u32, inner: Pieces) {
        let mut head = BytesMut::new();
        encode_key(tag, WireType::LengthDelimited, &mut head);
        encode_varint(inner.len() as u64, &mut head);
        self.0.push(head.freeze());
        self.0.extend(inner.0);
    }

    fn number(&mut self, tag: u32, value: u64) {
        let mut bytes = BytesMut::new();
        encode_key(tag, WireType::Varint, &mut bytes);
        encode_varint(value, &mut bytes);
        self.0.push(bytes.freeze());
    }

    /// Bytes of all pieces.
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// The pieces in order, with short ones made one so that they do not each become a frame.
    pub fn joined(self) -> Vec<Bytes> {
        let (mut all, mut short) = (Vec::new(), BytesMut::new());
        for piece in self.0 {
            if piece.len() < 4096 {
                short.put_slice(&piece);
                continue;
            }
            if !short.is_empty() {
                all.push(short.split().freeze());
            }
            all.push(piece);
        }
        if !short.is_empty() {
            all.push(short.freeze());
        }
        all
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(message: Vec<u8>) -> Self {
        Self(vec![message.into()])
    }
}
