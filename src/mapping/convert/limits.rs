//! What the target's `max_length` lets in.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray};

use super::text::Texts;
use super::{Converted, Misfit, without};
use crate::collection::{BatchError, DataType, Field, LengthUnit};

/// Holds a column of text against `max_length` of its field. Other columns pass.
pub(super) fn fit(mut converted: Converted, to: &Field, unit: LengthUnit, cut: bool) -> Result<Converted, BatchError> {
    let Some(most) = to.max_length().filter(|_| to.data_type == DataType::VarChar) else { return Ok(converted) };
    let Some(texts) = converted.array.as_string_opt::<i32>() else { return Ok(converted) };
    let long = too_long(texts, most, unit);
    if long.is_empty() {
        return Ok(converted);
    }
    if cut {
        converted.array = cut_rows(texts, &long, most, unit)?;
        converted.truncated = long;
        return Ok(converted);
    }
    let named = match unit {
        LengthUnit::Bytes => "bytes",
        LengthUnit::Characters => "characters",
    };
    let misfits: Vec<Misfit> = long
        .into_iter()
        .map(|row| {
            let length = measure(texts.value(row), unit);
            Misfit { row, reason: format!("{length} {named}, but max_length is {most}") }
        })
        .collect();
    converted.array = without(converted.array, &misfits)?;
    converted.misfits.extend(misfits);
    converted.misfits.sort_by_key(|misfit| misfit.row);
    Ok(converted)
}

fn measure(text: &str, unit: LengthUnit) -> usize {
    match unit {
        LengthUnit::Bytes => text.len(),
        LengthUnit::Characters => text.chars().count(),
    }
}

/// Rows whose text is longer than `most`, ascending. No text has more characters than bytes, so most texts are measured by
/// their offsets alone.
fn too_long(texts: &StringArray, most: usize, unit: LengthUnit) -> Vec<usize> {
    let lengths = texts.value_offsets().windows(2).map(|pair| pair[1].abs_diff(pair[0]) as usize);
    lengths
        .enumerate()
        .filter(|(row, bytes)| *bytes > most && texts.is_valid(*row) && measure(texts.value(*row), unit) > most)
        .map(|(row, _)| row)
        .collect()
}

fn cut_rows(texts: &StringArray, long: &[usize], most: usize, unit: LengthUnit) -> Result<ArrayRef, BatchError> {
    let mut shorter = Texts::new(texts.len());
    let mut long = long.iter().peekable();
    for row in 0..texts.len() {
        if texts.is_null(row) {
            shorter.push(None);
        } else if long.next_if_eq(&&row).is_some() {
            shorter.push(Some(cut_text(texts.value(row), most, unit).as_bytes()));
        } else {
            shorter.push(Some(texts.value(row).as_bytes()));
        }
    }
    shorter.utf8()
}

/// The longest beginning of a text that has at most so many bytes or characters and cuts no character in two.
pub(super) fn cut_text(text: &str, most: usize, unit: LengthUnit) -> &str {
    let end = match unit {
        LengthUnit::Characters => text.char_indices().nth(most).map(|(at, _)| at),
        LengthUnit::Bytes => (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)),
    };
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}
