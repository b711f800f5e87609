//! An answer with rows, as it comes in: each large column goes to memory of its own, while the rest stays together.
//!
//! The library gathers an answer in one piece of memory, in which most columns of numbers begin where numbers may not stand, so that
//! each had to be copied once more. Here the bytes are looked at as they arrive, only as far as to know where a column begins and
//! how long it is, and are copied once, from a frame that is still in the processor's cache. A column's memory is laid so that its
//! end stands where the largest number may end: servers write what a vector column holds last.
//!
//! What is no message of this form is kept together and left to the decoder, which says what is wrong with it.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes from which on a column has memory of its own.
pub const LARGE: usize = 64 << 10;
/// What the end of such memory is a multiple of, counted from its beginning, which allocators put at no worse place.
const ALIGNED: usize = 8;
/// Field numbers: the columns of `QueryResults`, and what a `FieldData` holds (scalars, vectors, structs).
const COLUMNS: u64 = 2;
const HOLDS: [u64; 3] = [3, 4, 8];

/// Takes an answer piece by piece.
#[derive(Debug, Default)]
pub struct Gatherer {
    done: VecDeque<Bytes>,
    /// What is being filled.
    filling: BytesMut,
    /// Bytes that `filling` still lacks, where it is a column's own memory.
    lacks: usize,
    /// Bytes that pass without being looked at: values of fields.
    passes: usize,
    /// Bytes left of the column that is being gone through; 0 between columns.
    column: usize,
    /// The key of the field that is being gone through, once it is known.
    key: Option<u64>,
    /// A key, number or length of which some bytes were seen: so far, and how many bits.
    varint: (u64, u32),
    /// Whether the bytes made no sense, so that nobody looks at the rest.
    lost: bool,
    bytes: usize,
}

/// The bytes of a message, in the order they came in.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Gatherer {
    /// For an answer of so many bytes.
    pub fn of(bytes: usize) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// Bytes that are still to come.
    pub fn missing(&self) -> usize {
        self.bytes
    }

    /// The next bytes; not more than are missing.
    pub fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let most = if self.lost { bytes.len() } else { self.passes.max(1) };
            let (now, rest) = bytes.split_at(most.min(bytes.len()));
            bytes = rest;
            self.filling.put_slice(now);
            self.bytes = self.bytes.saturating_sub(now.len());
            self.column = self.column.saturating_sub(now.len());
            match self.passes {
                _ if self.lost => {}
                0 => self.look(now[0]),
                _ => self.passed(now.len()),
            }
        }
    }

    /// So many bytes of a value went by.
    fn passed(&mut self, bytes: usize) {
        self.passes -= bytes;
        if self.lacks > 0 {
            self.lacks -= bytes;
            if self.lacks == 0 {
                self.keep();
            }
        }
    }

    /// The whole answer.
    pub fn gathered(mut self) -> Gathered {
        self.keep();
        Gathered { bytes: self.done.iter().map(Bytes::len).sum(), pieces: self.done }
    }

    fn keep(&mut self) {
        let filled = std::mem::take(&mut self.filling);
        if !filled.is_empty() {
            self.done.push_back(filled.freeze());
        }
    }

    /// Goes through keys, numbers and lengths.
    fn look(&mut self, byte: u8) {
        let (value, bits) = self.varint;
        if bits > 63 {
            self.lost = true;
            return;
        }
        let value = value | u64::from(byte & 0x7f) << bits;
        if byte >= 0x80 {
            self.varint = (value, bits + 7);
            return;
        }
        self.varint = (0, 0);
        match self.key.take() {
            None => match value & 7 {
                0 | 2 => self.key = Some(value),
                1 => self.passes = 8,
                5 => self.passes = 4,
                _ => self.lost = true,
            },
            Some(key) if key & 7 == 2 => self.begin(key >> 3, value),
            Some(_) => {}
        }
    }

    /// A field with content, of so many bytes.
    fn begin(&mut self, field: u64, length: u64) {
        let within = if self.column > 0 { self.column } else { self.bytes };
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= within) else {
            self.lost = true;
            return;
        };
        if self.column == 0 && field == COLUMNS {
            self.column = length;
            return;
        }
        self.passes = length;
        if self.column > 0 && HOLDS.contains(&field) && length >= LARGE {
            self.keep();
            let before = (ALIGNED - length % ALIGNED) % ALIGNED;
            self.filling.reserve(before + length);
            self.filling.put_bytes(0, before);
            self.filling.advance(before);
            self.lacks = length;
        }
    }
}

impl Buf for Gathered {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn advance(&mut self, mut bytes: usize) {
        assert!(bytes <= self.bytes, "the end is {} bytes away, and not {bytes}", self.bytes);
        self.bytes -= bytes;
        while bytes > 0
            && let Some(piece) = self.pieces.front_mut()
        {
            let now = bytes.min(piece.len());
            piece.advance(now);
            bytes -= now;
            if piece.is_empty() {
                self.pieces.pop_front();
            }
        }
    }

    /// Without a copy where they are all of a piece, or some of it.
    fn copy_to_bytes(&mut self, bytes: usize) -> Bytes {
        match self.pieces.front() {
            Some(piece) if piece.len() >= bytes => {
                let taken = piece.slice(..bytes);
                self.advance(bytes);
                taken
            }
            _ => {
                let mut taken = BytesMut::with_capacity(bytes);
                taken.put(self.take(bytes));
                taken.freeze()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use prost::encoding::bytes as raw;

    use super::super::wire::{Answer, Column, Data};
    use super::*;

    /// The message as it is gathered out of frames that end at `cuts`.
    fn gather(message: &[u8], cuts: &[usize]) -> Gathered {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (message.len() + 1)).chain([0, message.len()]).collect();
        cuts.sort_unstable();
        let mut gatherer = Gatherer::of(message.len());
        cuts.windows(2).for_each(|cut| gatherer.take(&message[cut[0]..cut[1]]));
        assert_eq!(gatherer.missing(), 0);
        gatherer.gathered()
    }

    fn column(bytes: usize, kind: u8) -> Column {
        // A vector column: its dimension, and the numbers behind their two heads.
        let (mut inner, mut message) = (Vec::new(), vec![8, 200, 1]);
        raw::encode(1, &vec![kind; bytes], &mut inner);
        raw::encode(2, &inner, &mut message);
        let data = if kind.is_multiple_of(3) { Data::Scalars(message.into()) } else { Data::Vectors(message.into()) };
        Column { name: format!("column {kind}"), valid: vec![true; usize::from(kind % 4)], data: Some(data) }
    }

    fn answer() -> impl Strategy<Value = Answer> {
        let size = prop_oneof![0..300_usize, LARGE - 20..LARGE + 20, LARGE..3 * LARGE];
        let columns =
            proptest::collection::vec((size, any::<u8>()).prop_map(|(bytes, kind)| column(bytes, kind)), 0..6);
        (columns, any::<u64>()).prop_map(|(fields_data, session_ts)| Answer { status: None, fields_data, session_ts })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn an_answer_is_the_same_however_it_is_cut(answer in answer(), cuts in proptest::collection::vec(any::<usize>(), 0..40)) {
            let message = answer.encode_to_vec();
            let mut gathered = gather(&message, &cuts);
            prop_assert_eq!(&Answer::decode(gathered.clone()).unwrap(), &answer);
            prop_assert!(gathered.copy_to_bytes(message.len()) == message);
        }

        #[test]
        fn bytes_without_sense_stay_as_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..300), cuts in proptest::collection::vec(any::<usize>(), 0..9)) {
            let mut gathered = gather(&bytes, &cuts);
            prop_assert_eq!(Answer::decode(gathered.clone()).ok(), Answer::decode(bytes.as_slice()).ok());
            prop_assert!(gathered.copy_to_bytes(bytes.len()) == bytes);
        }
    }

    #[test]
    fn a_large_column_has_memory_of_its_own_that_ends_where_a_number_may() {
        for odd in 0..8 {
            let columns = [column(odd, 1), column(LARGE * 2, 4), column(LARGE, 7)];
            let message = Answer { fields_data: columns.to_vec(), ..Answer::default() }.encode_to_vec();
            let gathered = gather(&message, &(0..message.len()).step_by(16 << 10).collect::<Vec<_>>());
            let sizes: Vec<usize> = gathered.pieces.iter().map(Bytes::len).collect();
            assert_eq!(sizes.len(), 5, "what stands before, between and behind, and the two columns: {sizes:?}");
            for piece in [1, 3] {
                let end = gathered.pieces[piece].as_ptr_range().end;
                assert_eq!(end.align_offset(ALIGNED), 0, "{odd}");
            }
        }
    }
}
