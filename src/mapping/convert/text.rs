//! Text: columns of it being built, excerpts for messages, and points in time.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use super::arrow;
use crate::collection::BatchError;

/// Most characters of a value in a message.
const EXCERPT: usize = 60;

/// A column of texts being built. Arrow's own builder panics where a column outgrows 2 GiB, and this one says so.
#[derive(Debug)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    valid: Vec<bool>,
}

impl Texts {
    /// An empty column with room for so many rows.
    pub fn new(rows: usize) -> Self {
        Self { bytes: Vec::new(), ends: Vec::with_capacity(rows), valid: Vec::with_capacity(rows) }
    }

    /// Appends a row.
    pub fn push(&mut self, value: Option<&[u8]>) {
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.ends.push(self.bytes.len());
        self.valid.push(value.is_some());
    }

    /// The column as `Utf8`. Fails where it is larger than Arrow's offsets reach, or no UTF-8.
    pub fn utf8(self) -> Result<ArrayRef, BatchError> {
        let (offsets, values, nulls) = self.parts()?;
        Ok(Arc::new(StringArray::try_new(offsets, values, nulls).map_err(arrow)?))
    }

    /// The column as `Binary`. Fails where it is larger than Arrow's offsets reach.
    pub fn binary(self) -> Result<ArrayRef, BatchError> {
        let (offsets, values, nulls) = self.parts()?;
        Ok(Arc::new(BinaryArray::try_new(offsets, values, nulls).map_err(arrow)?))
    }

    fn parts(self) -> Result<(OffsetBuffer<i32>, Buffer, Option<NullBuffer>), BatchError> {
        let offsets = offsets(&self.ends)?;
        let nulls = self.valid.contains(&false).then(|| NullBuffer::from(self.valid));
        Ok((offsets, Buffer::from_vec(self.bytes), nulls))
    }
}

/// Offsets from the ends of rows, which must not descend. Fails where they reach further than Arrow can say.
pub(super) fn offsets(ends: &[usize]) -> Result<OffsetBuffer<i32>, BatchError> {
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0);
    for end in ends {
        let end = i32::try_from(*end).map_err(|_| {
            BatchError::Arrow("a converted column is larger than 2 GiB: use smaller batches".to_owned())
        })?;
        offsets.push(end);
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}

/// At most 60 characters of a text, with control characters escaped.
pub fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    let mut length = 0;
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let escaped =
            if character.is_control() { character.escape_default().collect() } else { String::from(character) };
        length += escaped.chars().count();
        let room = if rest.as_str().is_empty() { EXCERPT } else { EXCERPT - 1 };
        if length > room {
            shown.push('…');
            break;
        }
        shown.push_str(&escaped);
    }
    shown
}

/// A point in time as TIMESTAMPTZ holds it: `YYYY-MM-DDTHH:MM:SS[.ffffff]Z`. None unless `text` is RFC 3339 with an offset,
/// within the years 0 to 9999 of UTC, and no finer than a microsecond. A leap second would silently become the second
/// before it, and is refused.
pub(super) fn instant(text: &str) -> Option<String> {
    if !looks_like_rfc3339(text.as_bytes()) {
        return None;
    }
    stamp(text.parse().ok()?)
}

/// The same for microseconds since 1970-01-01 UTC.
pub(super) fn instant_of_micros(micros: i64) -> Option<String> {
    stamp(jiff::Timestamp::from_microsecond(micros).ok()?)
}

fn stamp(timestamp: jiff::Timestamp) -> Option<String> {
    let nanos = timestamp.subsec_nanosecond();
    let text = match nanos {
        0 => format!("{timestamp:.0}"),
        _ if nanos % 1000 == 0 => format!("{timestamp:.6}"),
        _ => return None,
    };
    // A year outside four digits is written with its sign.
    text.starts_with(|first: char| first.is_ascii_digit()).then_some(text)
}

/// The shape of RFC 3339. The parser behind it takes more than that: other separators, time zones in brackets, offsets
/// without a colon.
fn looks_like_rfc3339(text: &[u8]) -> bool {
    let Some((moment, rest)) = text.split_at_checked(19) else { return false };
    let fits = |pattern: &[u8], bytes: &[u8]| {
        pattern.len() == bytes.len()
            && pattern.iter().zip(bytes).all(|(pattern, byte)| match pattern {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b't' | b' '),
                b'+' => matches!(byte, b'+' | b'-'),
                other => other == byte,
            })
    };
    if !fits(b"0000-00-00T00:00:00", moment) || moment.ends_with(b"60") {
        return false;
    }
    let offset = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            fraction.get(digits..).unwrap_or_default()
        }
    };
    matches!(offset, b"Z" | b"z") || fits(b"+00:00", offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_harmless() {
        assert_eq!(excerpt("a\u{1b}[1m\n"), "a\\u{1b}[1m\\n");
        assert_eq!(excerpt(&"ä".repeat(60)), "ä".repeat(60));
        assert_eq!(excerpt(&"ä".repeat(61)), format!("{}…", "ä".repeat(59)));
    }

    #[test]
    fn instants_are_read_strictly_and_written_in_utc() {
        for (text, expected) in [
            ("2025-05-01T23:59:59+08:00", "2025-05-01T15:59:59Z"),
            ("2025-05-01t23:59:59.5z", "2025-05-01T23:59:59.500000Z"),
            ("2025-05-01 23:59:59.123456000-00:30", "2025-05-02T00:29:59.123456Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(instant(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "2025-05-01",
            "2025-05-01T23:59:59",
            "2025-05-01T23:59:60Z",
            "2025-05-01T23:59:59.Z",
            "2025-05-01T23:59:59.1234567Z",
            "2025-05-01T23:59:59+0800",
            "2025-05-01T23:59:59+08:00[Asia/Shanghai]",
            "2025-02-30T00:00:00Z",
            "0000-01-01T00:00:00+05:00",
            " 2025-05-01T23:59:59Z",
            "２025-05-01T23:59:59Z",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
        assert_eq!(instant_of_micros(-1).as_deref(), Some("1969-12-31T23:59:59.999999Z"));
        assert_eq!(instant_of_micros(i64::MIN), None);
    }
}
