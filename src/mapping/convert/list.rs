//! Arrays: cut to capacity, converted element by element in one flat column, and put together again.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray};
use arrow_buffer::{ArrowNativeType, NullBuffer};
use arrow_schema::DataType as Arrow;
use serde_json::Value;

use super::text::offsets;
use super::{Conversion, Converted, Misfit, arrow, json};
use crate::collection::{BatchError, DataType, Field};

/// The elements of an array field as a field of their own.
pub(super) fn item(field: &Field) -> Field {
    let mut item = Field::new("item", field.element_type.unwrap_or(DataType::Unknown(0)));
    if let Some(length) = field.params.get("max_length") {
        item.params.insert("max_length".to_owned(), length.clone());
    }
    item
}

/// What is known of each row before its elements are converted.
struct Rows {
    /// How many elements it has; none for a row that is null.
    lengths: Vec<Option<usize>>,
    misfits: Vec<Misfit>,
    truncated: Vec<usize>,
}

impl Rows {
    fn new(rows: usize) -> Self {
        Self { lengths: Vec::with_capacity(rows), misfits: Vec::new(), truncated: Vec::new() }
    }

    fn misfit(&mut self, reason: String) {
        self.misfits.push(Misfit { row: self.lengths.len(), reason });
        self.lengths.push(None);
    }

    /// Adds a row of so many elements, and says how many of them to take.
    fn push(&mut self, length: usize, to: &Field, truncate: bool) -> usize {
        match to.max_capacity() {
            Some(most) if length > most && truncate => {
                self.truncated.push(self.lengths.len());
                self.lengths.push(Some(most));
                most
            }
            Some(most) if length > most => {
                self.misfit(format!("{length} elements, but max_capacity is {most}"));
                0
            }
            _ => {
                self.lengths.push(Some(length));
                length
            }
        }
    }
}

/// A column of arrays into one of arrays of another kind or of tighter limits.
pub(super) fn convert(conversion: &Conversion, column: &ArrayRef) -> Result<Converted, BatchError> {
    let lists =
        column.as_list_opt::<i32>().ok_or_else(|| BatchError::Arrow(format!("{} is no list", column.data_type())))?;
    let mut rows = Rows::new(lists.len());
    let mut ranges: Vec<Range<usize>> = Vec::with_capacity(lists.len());
    for (row, pair) in lists.value_offsets().windows(2).enumerate() {
        let (start, end) = (pair[0].as_usize(), pair[1].as_usize());
        if lists.is_null(row) {
            rows.lengths.push(None);
        } else {
            let taken = rows.push(end.saturating_sub(start), &conversion.to, conversion.truncate);
            ranges.push(start..start + taken);
        }
    }
    let values = gather(lists.values(), &ranges)?;
    let items =
        Conversion { from: item(&conversion.from), to: item(&conversion.to), ..conversion.clone() }.apply(&values)?;
    let converted = assemble(rows, items, &conversion.to)?;
    let untouched = converted.misfits.is_empty() && converted.truncated.is_empty();
    if untouched
        && column.data_type() == converted.array.data_type()
        && conversion.from.element_type == conversion.to.element_type
    {
        return Ok(Converted::whole(Arc::clone(column)));
    }
    Ok(converted)
}

/// The values of `ranges`, which ascend, end to end.
fn gather(values: &ArrayRef, ranges: &[Range<usize>]) -> Result<ArrayRef, BatchError> {
    let start = ranges.first().map_or(0, |range| range.start);
    let end = ranges.last().map_or(0, |range| range.end);
    let slice = values.slice(start, end.saturating_sub(start));
    if ranges.windows(2).all(|pair| pair[0].end == pair[1].start) {
        return Ok(slice);
    }
    let mut keep = vec![false; slice.len()];
    for range in ranges {
        if let Some(part) = keep.get_mut(range.start - start..range.end - start) {
            part.fill(true);
        }
    }
    arrow_select::filter::filter(&slice, &BooleanArray::from(keep)).map_err(arrow)
}

/// JSON values into a column of arrays; an error is a row that was a misfit before.
pub(super) fn from_values(
    values: Vec<Result<Option<Value>, String>>,
    to: &Field,
    rules: json::Rules,
) -> Result<Converted, BatchError> {
    let mut rows = Rows::new(values.len());
    let mut items = Vec::new();
    for value in values {
        match value {
            Err(reason) => rows.misfit(reason),
            Ok(None | Some(Value::Null)) => rows.lengths.push(None),
            Ok(Some(Value::Array(elements))) => {
                let taken = rows.push(elements.len(), to, rules.truncate);
                items.extend(elements.into_iter().take(taken).map(|element| Ok(Some(element))));
            }
            Ok(Some(other)) => rows.misfit(json::is_no(&other, DataType::Array)),
        }
    }
    let items = json::build(items, &item(to), rules)?;
    assemble(rows, items, to)
}

/// Rows from their elements. A row with an element that does not fit, or that is null, is a misfit with the first of those
/// as its reason, and leaves none of its elements behind: Arrow's form of an array has no room for null elements.
fn assemble(mut rows: Rows, items: Converted, to: &Field) -> Result<Converted, BatchError> {
    let form = to.arrow().ok_or_else(|| BatchError::Unsupported(to.name.clone()))?;
    let Arrow::List(field) = form else { return Err(BatchError::Unsupported(to.name.clone())) };
    let mut reasons = items.misfits.into_iter().peekable();
    let mut cut = items.truncated.into_iter().peekable();
    let mut keep = vec![true; items.array.len()];
    let mut at = 0;
    for (row, length) in rows.lengths.iter_mut().enumerate() {
        let Some(elements) = *length else { continue };
        let range = at..at + elements;
        at = range.end;
        let mut was_cut = false;
        while cut.next_if(|item| *item < range.end).is_some() {
            was_cut = true;
        }
        let mut reason = None;
        while let Some(misfit) = reasons.next_if(|misfit| misfit.row < range.end) {
            let element = misfit.row.saturating_sub(range.start);
            reason.get_or_insert_with(|| format!("element {element}: {}", misfit.reason));
        }
        if reason.is_none() && items.array.null_count() > 0 {
            let null = range.clone().find(|item| items.array.is_null(*item));
            reason = null.map(|item| format!("element {} is null", item - range.start));
        }
        if let Some(reason) = reason {
            rows.misfits.push(Misfit { row, reason });
            if let Some(part) = keep.get_mut(range) {
                part.fill(false);
            }
            *length = None;
        } else if was_cut {
            rows.truncated.push(row);
        }
    }
    let values = if keep.contains(&false) {
        arrow_select::filter::filter(&items.array, &BooleanArray::from(keep)).map_err(arrow)?
    } else {
        items.array
    };
    let ends: Vec<usize> = rows
        .lengths
        .iter()
        .scan(0, |end, length| {
            *end += length.unwrap_or(0);
            Some(*end)
        })
        .collect();
    let nulls = rows.lengths.contains(&None).then(|| NullBuffer::from_iter(rows.lengths.iter().map(Option::is_some)));
    let list = ListArray::try_new(field, offsets(&ends)?, values, nulls).map_err(arrow)?;
    rows.misfits.sort_by_key(|misfit| misfit.row);
    rows.truncated.sort_unstable();
    rows.truncated.dedup();
    // A row that was cut and then did not fit is a misfit only.
    let unfit: std::collections::HashSet<usize> = rows.misfits.iter().map(|misfit| misfit.row).collect();
    rows.truncated.retain(|row| !unfit.contains(row));
    Ok(Converted { array: Arc::new(list), misfits: rows.misfits, truncated: rows.truncated })
}
