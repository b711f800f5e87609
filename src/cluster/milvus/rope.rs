//! A message that is to be sent, as pieces of memory that belong to whoever made them.
//!
//! Vectors and numbers go to the connection from where they lie, which for rows that no rule touches is the answer that they came
//! in. Texts, which need their lengths between them, are written a piece at a time when the connection asks for more: they are not
//! in memory a second time, and each piece is still in the processor's cache when it is sent. What else the wire wants in another
//! form (integers, lists) was written when the request was made, and is little.

use std::vec;

use arrow_array::GenericByteArray;
use arrow_array::types::ByteArrayType;
use arrow_buffer::{Buffer, OffsetBuffer};
use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

/// Bytes of the pieces that are written anew, about; and of the smallest that are sent from where they lie.
const PIECE: usize = 64 << 10;

/// A message, as strands that follow one another.
#[derive(Debug, Clone, Default)]
pub struct Rope {
    strands: Vec<Strand>,
    bytes: usize,
}

#[derive(Debug, Clone)]
enum Strand {
    Bytes(Bytes),
    /// Field 1 once for each value, the values being those between two offsets.
    Each(OffsetBuffer<i32>, Buffer),
}

impl Rope {
    /// Its size.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.bytes += bytes.len();
        self.strands.push(Strand::Bytes(bytes));
    }

    /// Appends a field whose content is `content`: a message, or packed numbers.
    pub fn field(&mut self, tag: u32, content: Rope) {
        let mut head = Vec::with_capacity(16);
        encode_key(tag, WireType::LengthDelimited, &mut head);
        encode_varint(content.bytes as u64, &mut head);
        self.bytes(head);
        self.bytes += content.bytes;
        self.strands.extend(content.strands);
    }

    /// Appends field 1 once for each value of an array of text or bytes, which has no nulls.
    pub fn each<T: ByteArrayType<Offset = i32>>(&mut self, values: &GenericByteArray<T>) {
        let lengths = values.offsets().lengths();
        self.bytes += lengths.map(|length| 1 + encoded_len_varint(length as u64) + length).sum::<usize>();
        self.strands.push(Strand::Each(values.offsets().clone(), values.values().clone()));
    }

    /// Its bytes from the first to the last.
    pub fn pieces(self) -> Pieces {
        Pieces { strands: self.strands.into_iter(), next: None, row: 0, written: BytesMut::new() }
    }
}

/// The bytes of a rope, in pieces that are about as large as is good to send, or larger where they are sent from where they lie.
#[derive(Debug)]
pub struct Pieces {
    strands: vec::IntoIter<Strand>,
    /// The strand that comes next, where it was begun or has to wait.
    next: Option<Strand>,
    /// The next value of that strand.
    row: usize,
    written: BytesMut,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.written.len() < PIECE
            && let Some(strand) = self.next.take().or_else(|| self.strands.next())
        {
            match strand {
                Strand::Bytes(bytes) if bytes.len() < PIECE => self.written.put_slice(&bytes),
                Strand::Bytes(bytes) if self.written.is_empty() => return Some(bytes),
                Strand::Bytes(bytes) => {
                    self.next = Some(Strand::Bytes(bytes));
                    break;
                }
                Strand::Each(offsets, values) => {
                    self.row = write_each(&offsets, &values, self.row, &mut self.written);
                    if self.row + 1 < offsets.len() {
                        self.next = Some(Strand::Each(offsets, values));
                    } else {
                        self.row = 0;
                    }
                }
            }
        }
        (!self.written.is_empty()).then(|| self.written.split().freeze())
    }
}

/// Writes values from the number `row` on until that makes a piece, and says which comes next.
fn write_each(offsets: &OffsetBuffer<i32>, values: &Buffer, mut row: usize, out: &mut BytesMut) -> usize {
    out.reserve(PIECE);
    while row + 1 < offsets.len() && out.len() < PIECE {
        let value = &values[offsets[row] as usize..offsets[row + 1] as usize];
        encode_key(1, WireType::LengthDelimited, out);
        encode_varint(value.len() as u64, out);
        out.put_slice(value);
        row += 1;
    }
    row
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;
    use proptest::prelude::*;
    use prost::encoding::{bytes as raw, string};

    use super::*;

    /// A strand, and what it is written as.
    fn strand() -> impl Strategy<Value = (Rope, Vec<u8>)> {
        let size = prop_oneof![0..40_usize, PIECE - 20..PIECE + 20, 2 * PIECE..3 * PIECE];
        let texts = prop_oneof![
            proptest::collection::vec(0..40_usize, 0..8),
            proptest::collection::vec(0..40_usize, 4000..5000),
            proptest::collection::vec(PIECE - 9..2 * PIECE, 1..4),
        ];
        prop_oneof![
            (size, any::<u8>()).prop_map(|(size, byte)| {
                let mut rope = Rope::default();
                rope.bytes(vec![byte; size]);
                (rope, vec![byte; size])
            }),
            texts.prop_map(|lengths| {
                let texts: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
                let (mut rope, mut written) = (Rope::default(), Vec::new());
                rope.each(&StringArray::from_iter_values(&texts));
                string::encode_repeated(1, &texts, &mut written);
                (rope, written)
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn pieces_are_what_was_put_in_and_none_is_small_without_need(strands in proptest::collection::vec(strand(), 0..12)) {
            let (mut rope, mut written) = (Rope::default(), Vec::new());
            for (number, (strand, bytes)) in (1..).zip(strands) {
                rope.field(number, strand);
                raw::encode(number, &bytes, &mut written);
            }
            prop_assert_eq!(rope.len(), written.len());
            let pieces: Vec<Bytes> = rope.pieces().collect();
            prop_assert!(pieces.concat() == written);
            let small = |piece: &Bytes| piece.len() < PIECE;
            prop_assert!(!pieces.windows(2).any(|two| small(&two[0]) && small(&two[1])), "two pieces could be one");
        }
    }

    #[test]
    fn large_memory_is_sent_from_where_it_lies() {
        let values = Bytes::from(vec![7; PIECE]);
        let mut rope = Rope::default();
        rope.bytes(vec![1]);
        rope.bytes(values.clone());
        rope.bytes(vec![2]);
        let pieces: Vec<Bytes> = rope.pieces().collect();
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [1, PIECE, 1]);
        assert_eq!(pieces[1].as_ptr(), values.as_ptr());
    }
}
