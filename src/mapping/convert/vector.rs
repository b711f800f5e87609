//! Dense vectors from one kind of number to another, row after row over the buffer.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Int8Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, FixedSizeBinaryArray, FixedSizeListArray, PrimitiveArray};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer};
use arrow_schema::DataType as Arrow;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::{Conversion, Converted, Misfit, arrow, without};
use crate::collection::{BatchError, DataType};

/// Converts a column of dense vectors whose dimension is the same on both sides.
pub(super) fn convert(conversion: &Conversion, column: &ArrayRef) -> Result<Converted, BatchError> {
    let to = &conversion.to;
    let unsupported = || BatchError::Unsupported(to.name.clone());
    let dim = to.dim().ok_or_else(unsupported)?;
    let source = Source::new(conversion, column).ok_or_else(unsupported)?;
    let mut sink = Sink::new(to.data_type, column.len().saturating_mul(dim)).ok_or_else(unsupported)?;
    let mut numbers = vec![0.0_f32; dim];
    let mut misfits = Vec::new();
    for row in 0..column.len() {
        let wrong = if column.is_null(row) {
            // What lies behind a null is nobody's value.
            sink.skip(dim);
            None
        } else if let Source::Int8(values, scale) = source {
            let quanta = part(values, row, dim);
            sink.push_scaled(quanta, scale)
                .map(|at| (at, format!("{} ÷ {scale}", quanta.get(at).copied().unwrap_or_default())))
        } else {
            source.read(row, &mut numbers);
            sink.push(&numbers, conversion.scale).map(|at| {
                let number = numbers.get(at).copied().unwrap_or_default();
                let scaled = to.data_type == DataType::Int8Vector && number.is_finite();
                (at, if scaled { format!("{number:?} × {}", conversion.scale) } else { format!("{number:?}") })
            })
        };
        if let Some((at, shown)) = wrong {
            misfits.push(Misfit { row, reason: format!("element {at}: {shown} is outside {}", to.data_type) });
        }
    }
    let form = to.arrow().ok_or_else(unsupported)?;
    let array = sink.finish(&form, column.nulls().cloned(), column.len())?;
    Ok(Converted { array: without(array, &misfits)?, misfits, truncated: Vec::new() })
}

/// The numbers of a row. An array that is shorter than its own length says gives none, rather than a panic.
fn part<T>(values: &[T], row: usize, dim: usize) -> &[T] {
    row.checked_mul(dim).and_then(|start| values.get(start..start.checked_add(dim)?)).unwrap_or_default()
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Float(&'a [f32], usize),
    Half(&'a [f16], usize),
    Brain(&'a FixedSizeBinaryArray),
    Int8(&'a [i8], f64),
}

impl<'a> Source<'a> {
    fn new(conversion: &Conversion, column: &'a ArrayRef) -> Option<Self> {
        let dim = conversion.from.dim()?;
        match conversion.from.data_type {
            DataType::FloatVector => Some(Self::Float(items::<Float32Type>(column)?, dim)),
            DataType::Float16Vector => Some(Self::Half(items::<Float16Type>(column)?, dim)),
            DataType::BFloat16Vector => Some(Self::Brain(column.as_fixed_size_binary_opt()?)),
            DataType::Int8Vector => Some(Self::Int8(items::<Int8Type>(column)?, conversion.scale)),
            _ => None,
        }
    }

    /// Widens a row into `numbers`, which is exact.
    fn read(self, row: usize, numbers: &mut [f32]) {
        match self {
            Self::Float(values, dim) => {
                numbers.iter_mut().zip(part(values, row, dim)).for_each(|(number, value)| *number = *value);
            }
            Self::Half(values, dim) => {
                let values = part(values, row, dim);
                if values.len() == numbers.len() {
                    values.convert_to_f32_slice(numbers);
                }
            }
            Self::Brain(values) => {
                let pairs = values.value(row).as_chunks::<2>().0;
                numbers.iter_mut().zip(pairs).for_each(|(number, pair)| *number = bf16::from_le_bytes(*pair).to_f32());
            }
            Self::Int8(values, _) => {
                let values = part(values, row, numbers.len());
                numbers.iter_mut().zip(values).for_each(|(number, value)| *number = f32::from(*value));
            }
        }
    }
}

/// The numbers of all vectors of a column, end to end; a slice brings only its own.
fn items<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<&[T::Native]> {
    let list = array.as_fixed_size_list_opt()?;
    let width = list.value_length().as_usize();
    let start = if list.is_empty() { 0 } else { list.value_offset_at(0) };
    list.values().as_primitive_opt::<T>()?.values().get(start..start.checked_add(list.len().checked_mul(width)?)?)
}

enum Sink {
    Float(Vec<f32>),
    Half(Vec<f16>),
    Brain(Vec<u8>),
    Int8(Vec<i8>),
}

impl Sink {
    fn new(to: DataType, numbers: usize) -> Option<Self> {
        match to {
            DataType::FloatVector => Some(Self::Float(Vec::with_capacity(numbers))),
            DataType::Float16Vector => Some(Self::Half(Vec::with_capacity(numbers))),
            DataType::BFloat16Vector => Some(Self::Brain(Vec::with_capacity(numbers.saturating_mul(2)))),
            DataType::Int8Vector => Some(Self::Int8(Vec::with_capacity(numbers))),
            _ => None,
        }
    }

    /// A row of zeros.
    fn skip(&mut self, dim: usize) {
        match self {
            Self::Float(out) => out.resize(out.len() + dim, 0.0),
            Self::Half(out) => out.resize(out.len() + dim, f16::ZERO),
            Self::Brain(out) => out.resize(out.len() + 2 * dim, 0),
            Self::Int8(out) => out.resize(out.len() + dim, 0),
        }
    }

    /// Appends a row of floats, and says which number first did not fit. A row is appended whole in any case.
    fn push(&mut self, numbers: &[f32], scale: f64) -> Option<usize> {
        match self {
            Self::Float(out) => {
                out.extend_from_slice(numbers);
                None
            }
            Self::Half(out) => {
                let start = out.len();
                out.resize(start + numbers.len(), f16::ZERO);
                let (_, new) = out.split_at_mut(start);
                new.convert_from_f32_slice(numbers);
                let overflows = |(number, half): (&f32, &f16)| number.is_finite() && half.is_infinite();
                numbers.iter().zip(&*new).position(overflows)
            }
            Self::Brain(out) => {
                let mut wrong = None;
                for (at, number) in numbers.iter().enumerate() {
                    let brain = bf16::from_f32(*number);
                    if wrong.is_none() && number.is_finite() && brain.is_infinite() {
                        wrong = Some(at);
                    }
                    out.extend_from_slice(&brain.to_le_bytes());
                }
                wrong
            }
            Self::Int8(out) => {
                let mut wrong = None;
                for (at, number) in numbers.iter().enumerate() {
                    let scaled = (f64::from(*number) * scale).round_ties_even();
                    // Written so that NaN is wrong too.
                    if wrong.is_none() && !(-128.0..=127.0).contains(&scaled) {
                        wrong = Some(at);
                    }
                    out.push(scaled as i8);
                }
                wrong
            }
        }
    }

    /// Appends a row of scaled integers, each rounded once, and says which number first did not fit.
    fn push_scaled(&mut self, numbers: &[i8], scale: f64) -> Option<usize> {
        let mut wrong = None;
        for (at, number) in numbers.iter().enumerate() {
            let number = f64::from(*number) / scale;
            let finite = match self {
                Self::Float(out) => {
                    out.push(number as f32);
                    (number as f32).is_finite()
                }
                Self::Half(out) => {
                    out.push(f16::from_f64(number));
                    f16::from_f64(number).is_finite()
                }
                Self::Brain(out) => {
                    out.extend_from_slice(&bf16::from_f64(number).to_le_bytes());
                    bf16::from_f64(number).is_finite()
                }
                Self::Int8(out) => {
                    out.push(number as i8);
                    number.is_finite()
                }
            };
            if wrong.is_none() && !finite {
                wrong = Some(at);
            }
        }
        wrong
    }

    fn finish(self, form: &Arrow, nulls: Option<NullBuffer>, rows: usize) -> Result<ArrayRef, BatchError> {
        let values: ArrayRef = match self {
            Self::Float(out) => Arc::new(PrimitiveArray::<Float32Type>::new(out.into(), None)),
            Self::Half(out) => Arc::new(PrimitiveArray::<Float16Type>::new(out.into(), None)),
            Self::Int8(out) => Arc::new(PrimitiveArray::<Int8Type>::new(out.into(), None)),
            Self::Brain(out) => {
                let Arrow::FixedSizeBinary(width) = form else { return Err(wrong_form(form)) };
                let array = FixedSizeBinaryArray::try_new_with_len(*width, Buffer::from_vec(out), nulls, rows)
                    .map_err(arrow)?;
                return Ok(Arc::new(array));
            }
        };
        let Arrow::FixedSizeList(item, width) = form else { return Err(wrong_form(form)) };
        let list = FixedSizeListArray::try_new_with_length(Arc::clone(item), *width, values, nulls, rows);
        Ok(Arc::new(list.map_err(arrow)?))
    }
}

fn wrong_form(form: &Arrow) -> BatchError {
    BatchError::Arrow(format!("{form} is no form of a dense vector"))
}
