//! A batch of rows: an Arrow record batch with one column for each field and a primary key among them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field as ArrowField, Schema};

use super::{Field, Key, KeyRange};

/// Why columns do not make a batch, or rows are not what was asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BatchError {
    /// A column that was asked for is not there.
    #[error("column `{0}` is missing")]
    MissingColumn(String),
    /// Columns differ in length.
    #[error("column `{column}` has {rows} rows where {expected} were expected")]
    Length {
        /// Its name.
        column: String,
        /// Its rows.
        rows: usize,
        /// Rows of the others.
        expected: usize,
    },
    /// A column is of another type than its field.
    #[error("column `{column}` came as {found} where {expected} was expected")]
    Type {
        /// Its name.
        column: String,
        /// What came.
        found: String,
        /// What the field's type says.
        expected: String,
    },
    /// A type that vecferry has no form for.
    #[error("field `{0}` is of a type that vecferry cannot carry")]
    Unsupported(String),
    /// A column is not made as the protocol says.
    #[error("column `{0}` came in a form that the protocol does not know")]
    Malformed(String),
    /// A column would take more memory than an answer may.
    #[error("column `{0}` holds so many nulls that it takes too much memory")]
    TooLarge(String),
    /// A primary key is null.
    #[error("the primary key of row {0} is null")]
    NullKey(usize),
    /// The server returned a key outside the range it was asked for.
    #[error("key {key} was returned for a query of {range}")]
    OutOfRange {
        /// The key.
        key: String,
        /// The range.
        range: String,
    },
    /// Arrow refused the columns.
    #[error("{0}")]
    Arrow(String),
}

/// A batch of rows.
#[derive(Debug, Clone)]
pub struct RowBatch {
    record: RecordBatch,
    key_column: usize,
}

impl RowBatch {
    /// Makes a batch of `columns`, which stand in the order of `fields`. Fails where lengths or types do not fit, or where
    /// no field is the primary key.
    pub fn new(fields: &[Field], columns: Vec<ArrayRef>) -> Result<Self, BatchError> {
        let key_column = fields
            .iter()
            .position(|field| field.primary_key)
            .ok_or_else(|| BatchError::MissingColumn("primary key".to_owned()))?;
        let rows = columns.get(key_column).map_or(0, |column| column.len());
        let mut arrow_fields = Vec::with_capacity(fields.len());
        for (field, column) in fields.iter().zip(&columns) {
            if column.len() != rows {
                return Err(BatchError::Length { column: field.name.clone(), rows: column.len(), expected: rows });
            }
            let expected = field.arrow().ok_or_else(|| BatchError::Unsupported(field.name.clone()))?;
            if *column.data_type() != expected {
                return Err(BatchError::Type {
                    column: field.name.clone(),
                    found: column.data_type().to_string(),
                    expected: expected.to_string(),
                });
            }
            arrow_fields.push(ArrowField::new(&field.name, expected, true));
        }
        if columns[key_column].null_count() > 0 {
            let row = (0..rows).find(|row| columns[key_column].is_null(*row)).unwrap_or_default();
            return Err(BatchError::NullKey(row));
        }
        let record = RecordBatch::try_new(Arc::new(Schema::new(arrow_fields)), columns)
            .map_err(|error| BatchError::Arrow(error.to_string()))?;
        Ok(Self { record, key_column })
    }

    /// Only the columns of `fields`, in their order; the key is the one that they mark.
    pub fn select(&self, fields: &[Field]) -> Result<Self, BatchError> {
        let columns = fields
            .iter()
            .map(|field| self.column(&field.name).cloned().ok_or_else(|| BatchError::MissingColumn(field.name.clone())))
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(fields, columns)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.record.num_rows()
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.record.column_by_name(name)
    }

    /// Bytes that the columns take in memory, near enough to what they take on the wire. A slice counts its own rows only.
    pub fn bytes(&self) -> usize {
        self.record.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
    }

    /// The primary key of a row.
    pub fn key(&self, row: usize) -> Key {
        let column = self.record.column(self.key_column);
        match column.as_primitive_opt::<Int64Type>() {
            Some(keys) => Key::Int(keys.value(row)),
            None => Key::Text(column.as_string::<i32>().value(row).to_owned()),
        }
    }

    /// The primary keys of all rows, in their order.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        (0..self.rows()).map(|row| self.key(row))
    }

    /// The smallest key, or none in an empty batch.
    fn min_key(&self) -> Option<Key> {
        let column = self.record.column(self.key_column);
        match column.as_primitive_opt::<Int64Type>() {
            Some(keys) => keys.values().iter().min().map(|key| Key::Int(*key)),
            None => {
                let keys = column.as_string::<i32>();
                (0..keys.len()).map(|row| keys.value(row)).min().map(|key| Key::Text(key.to_owned()))
            }
        }
    }

    /// The largest key, or none in an empty batch.
    pub fn max_key(&self) -> Option<Key> {
        let column = self.record.column(self.key_column);
        match column.as_primitive_opt::<Int64Type>() {
            Some(keys) => keys.values().iter().max().map(|key| Key::Int(*key)),
            None => {
                let keys = column.as_string::<i32>();
                (0..keys.len()).map(|row| keys.value(row)).max().map(|key| Key::Text(key.to_owned()))
            }
        }
    }

    /// Refuses a batch with a key outside `range`: a server that answers another question must not be believed.
    pub fn check_range(&self, range: &KeyRange) -> Result<(), BatchError> {
        // A range holds all keys between two that it holds.
        if [self.min_key(), self.max_key()].iter().flatten().all(|key| range.contains(key)) {
            return Ok(());
        }
        match self.keys().find(|key| !range.contains(key)) {
            None => Ok(()),
            Some(key) => Err(BatchError::OutOfRange { key: key.to_string(), range: range.to_string() }),
        }
    }

    /// Rows `offset..offset + rows`, without copying them.
    pub fn slice(&self, offset: usize, rows: usize) -> Self {
        Self { record: self.record.slice(offset, rows), key_column: self.key_column }
    }

    /// The rows for which `keep` holds, in their order.
    pub fn filter(&self, keep: &arrow_array::BooleanArray) -> Result<Self, BatchError> {
        let record = arrow_select::filter::filter_record_batch(&self.record, keep)
            .map_err(|error| BatchError::Arrow(error.to_string()))?;
        Ok(Self { record, key_column: self.key_column })
    }

    /// Without the second and later rows of each key, and how many those were. Milvus 2.3.5 returns one row a key, but its
    /// upsert keeps doubles that come within one request, so no batch may ever carry them.
    pub fn distinct(self) -> Result<(Self, usize), BatchError> {
        let keep: Vec<bool> = match self.record.column(self.key_column).as_primitive_opt::<Int64Type>() {
            Some(keys) => {
                if keys.values().windows(2).all(|pair| pair[0] < pair[1]) {
                    return Ok((self, 0));
                }
                let mut seen = std::collections::HashSet::with_capacity(keys.len());
                keys.values().iter().map(|key| seen.insert(*key)).collect()
            }
            None => {
                let keys = self.record.column(self.key_column).as_string::<i32>();
                if (1..keys.len()).all(|row| keys.value(row - 1) < keys.value(row)) {
                    return Ok((self, 0));
                }
                let mut seen = std::collections::HashSet::with_capacity(keys.len());
                (0..keys.len()).map(|row| seen.insert(keys.value(row))).collect()
            }
        };
        let dropped = keep.iter().filter(|keep| !**keep).count();
        if dropped == 0 {
            return Ok((self, 0));
        }
        let filtered = self.filter(&arrow_array::BooleanArray::from(keep))?;
        Ok((filtered, dropped))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray};

    use super::super::DataType;
    use super::*;

    fn key_field(data_type: DataType) -> Field {
        Field { primary_key: true, ..Field::new("id", data_type) }
    }

    fn ints(keys: &[i64]) -> RowBatch {
        RowBatch::new(&[key_field(DataType::Int64)], vec![Arc::new(Int64Array::from(keys.to_vec()))]).unwrap()
    }

    #[test]
    fn doubles_within_a_batch_are_dropped_and_counted() {
        let (batch, dropped) = ints(&[1, 2, 2, 3, 1]).distinct().unwrap();
        assert_eq!((batch.rows(), dropped), (3, 2));
        assert_eq!(batch.max_key(), Some(Key::Int(3)));
    }

    #[test]
    fn a_key_outside_the_range_is_refused() {
        let range = KeyRange { after: Some(Key::Int(1)), to: Some(Key::Int(3)) };
        assert_eq!(ints(&[2, 3]).check_range(&range), Ok(()));
        assert!(matches!(ints(&[1]).check_range(&range), Err(BatchError::OutOfRange { .. })));
    }

    #[test]
    fn short_and_mistyped_columns_are_refused() {
        let fields = [key_field(DataType::Int64), Field::new("title", DataType::VarChar)];
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let short: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        assert!(matches!(RowBatch::new(&fields, vec![keys.clone(), short]), Err(BatchError::Length { .. })));
        assert!(matches!(RowBatch::new(&fields, vec![keys.clone(), keys]), Err(BatchError::Type { .. })));
        let null: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        assert_eq!(RowBatch::new(&[key_field(DataType::Int64)], vec![null]).unwrap_err(), BatchError::NullKey(1));
    }
}
