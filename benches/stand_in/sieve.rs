//! Reads an insert while it arrives, and keeps nothing but its keys. The vectors are dropped frame by frame: to gather them
//! would cost the machine as much as the client that is to be measured.

use milvus::proto::schema::{ScalarField, scalar_field};
use prost::Message;

/// Bytes of a name or of a column of keys; more is nothing that a client of this server sends.
const MOST: u64 = 64 << 20;

/// What is known of an insert so far.
#[derive(Default)]
pub struct Sieve {
    place: Place,
    /// Bytes that were looked at.
    at: u64,
    /// Where the column ends that is being read, if one is.
    column_ends: Option<u64>,
    /// A tag, and a length or a number behind it.
    head: Vec<u64>,
    varint: (u64, u32),
    kept: Vec<u8>,
    name: String,
    scalars: Vec<u8>,
    /// The collection.
    pub collection: String,
    /// Its rows, by what the message says.
    pub rows: u64,
    /// The keys of the rows.
    pub keys: Vec<i64>,
    /// Bytes of vectors.
    pub vector_bytes: u64,
}

#[derive(Default)]
enum Place {
    #[default]
    Head,
    Skip(u64),
    Keep(u64),
}

impl Sieve {
    /// Takes the next bytes of the message.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            let (here, rest) = match self.place {
                Place::Skip(left) | Place::Keep(left) => {
                    bytes.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()))
                }
                Place::Head => bytes.split_at(1),
            };
            bytes = rest;
            self.at += here.len() as u64;
            match &mut self.place {
                Place::Skip(left) => {
                    *left -= here.len() as u64;
                    if *left == 0 {
                        self.place = Place::Head;
                    }
                }
                Place::Keep(left) => {
                    *left -= here.len() as u64;
                    self.kept.extend_from_slice(here);
                    if *left == 0 {
                        self.keep()?;
                    }
                }
                Place::Head => self.head(here[0])?,
            }
            if self.column_ends == Some(self.at) {
                self.end_of_column()?;
            }
        }
        Ok(())
    }

    /// One more byte of a tag, a length or a number.
    fn head(&mut self, byte: u8) -> Result<(), &'static str> {
        let (value, shift) = self.varint;
        if shift > 63 {
            return Err("a number is too long");
        }
        self.varint = (value | u64::from(byte & 0x7f) << shift, shift + 7);
        if byte & 0x80 != 0 {
            return Ok(());
        }
        self.head.push(self.varint.0);
        self.varint = (0, 0);
        let [key, value] = self.head[..] else { return Ok(()) };
        let (tag, wire_type) = (key >> 3, key & 7);
        match (wire_type, self.column_ends.is_some(), tag) {
            (0, false, 7) => self.rows = value,
            (0, ..) => {}
            // A column, of which the name and the scalars are of interest.
            (2, false, 5) => self.column_ends = Some(self.at + value),
            (2, false, 3) | (2, true, 2 | 3) if value > 0 => {
                if value > MOST {
                    return Err("a value is too long");
                }
                self.place = Place::Keep(value);
                return Ok(());
            }
            (2, in_column, _) => {
                if in_column && tag == 4 {
                    self.vector_bytes += value;
                }
                if value > 0 {
                    self.place = Place::Skip(value);
                }
            }
            _ => return Err("a field of a kind that inserts do not have"),
        }
        self.head.clear();
        Ok(())
    }

    /// A value that was to be kept is complete.
    fn keep(&mut self) -> Result<(), &'static str> {
        let kept = std::mem::take(&mut self.kept);
        let text = |kept| String::from_utf8(kept).map_err(|_| "a name is no text");
        match (self.column_ends.is_some(), self.head.first().map(|key| key >> 3)) {
            (false, _) => self.collection = text(kept)?,
            (true, Some(2)) => self.name = text(kept)?,
            (true, _) => self.scalars = kept,
        }
        self.head.clear();
        self.place = Place::Head;
        Ok(())
    }

    fn end_of_column(&mut self) -> Result<(), &'static str> {
        self.column_ends = None;
        let scalars = std::mem::take(&mut self.scalars);
        if std::mem::take(&mut self.name) == "id" {
            let column = ScalarField::decode(&scalars[..]).map_err(|_| "the keys cannot be read")?;
            let Some(scalar_field::Data::LongData(keys)) = column.data else { return Err("the keys are no INT64") };
            self.keys = keys.data;
        }
        Ok(())
    }
}
