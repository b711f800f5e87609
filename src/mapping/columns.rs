//! Rows of the source to rows of the target, column by column.

use std::sync::Arc;

use arrow_array::ArrayRef;

use crate::collection::{BatchError, Field, RowBatch};

/// The columns to read, and the columns that come of them, in the target's words.
#[derive(Debug, Clone)]
pub struct Columns {
    /// Fields to read on the source.
    pub read: Vec<Field>,
    /// Fields to write on the target; each is carried unchanged from the field of the same name.
    pub write: Vec<Field>,
}

impl Columns {
    /// The rows of the target. Columns are shared with `rows`, not copied.
    pub fn apply(&self, rows: &RowBatch) -> Result<RowBatch, BatchError> {
        let columns = self
            .write
            .iter()
            .map(|field| {
                let column = rows.column(&field.name).ok_or_else(|| BatchError::MissingColumn(field.name.clone()))?;
                Ok(Arc::clone(column))
            })
            .collect::<Result<Vec<ArrayRef>, BatchError>>()?;
        RowBatch::new(&self.write, columns)
    }
}
