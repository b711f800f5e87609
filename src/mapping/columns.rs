//! Rows of the source to rows of the target, column by column.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, StringArray, UInt32Array};

use super::convert::{self, Conversion, Converted, Misfit};
use super::dynamic::{self, KeyCensus, Lift};
use crate::collection::{BatchError, DEFAULT_PARTITION, DYNAMIC_FIELD, Field, Key, LengthUnit, RowBatch};
use crate::plan::resolved::{OnMisfit, Verify};

/// Name of the column that carries the source's key beside the target's columns where none of them holds it. It is never
/// written; messages name rows by it. No server takes such a name for a field.
const SOURCE_KEY: &str = "$source_key";

/// How rows that may have been written before are written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// By an upsert, which replaces rows of the same primary key.
    Upsert,
    /// The target is compared first: the server makes the keys, so rows are found by the field that keeps the source's key,
    /// removed by the key that the server made, and inserted.
    Remove,
    /// Not at all: nothing on the target tells which row is which, so the collection is made anew.
    StartOver,
}

/// The columns to read, and the columns that come of them, in the target's words.
#[derive(Debug, Clone)]
pub struct Columns {
    /// Fields to read on the source.
    pub read: Vec<Field>,
    /// Fields to write on the target. The one that holds the source's key is marked as primary key here, whatever it is on
    /// the target, because rows of both sides are told apart by it.
    pub write: Vec<Field>,
    /// The target's primary key.
    pub key: Field,
    /// The field of the target that holds the source's key unchanged; none where no field does.
    pub identity: Option<Field>,
    /// How rows are written again.
    pub rewrite: Rewrite,
    /// Whether keys of the dynamic field are left behind.
    pub drops_dynamic: bool,
    pub(super) source_key: Field,
    pub(super) operations: Vec<Operation>,
    pub(super) objects: Vec<Object>,
    pub(super) unit: LengthUnit,
    pub(super) json_scalars: bool,
}

/// How one column of the target comes to be. They stand in the order of `write`.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) take: Take,
    pub(super) conversion: Option<Conversion>,
    pub(super) nulls: Nulls,
    pub(super) on_misfit: OnMisfit,
}

/// Where a column's values come from.
#[derive(Debug, Clone)]
pub(super) enum Take {
    /// A column of the source.
    Column(String),
    /// A place within JSON: number of the object, and of the lift in it.
    Lift(usize, usize),
    /// What is left of an object after its lifts, with what sinks into it.
    Object(usize),
    /// The same value in every row: an array of one.
    Constant(ArrayRef),
    /// The name of the row's partition.
    Partition,
}

/// What becomes of a null.
#[derive(Debug, Clone)]
pub(super) enum Nulls {
    /// It stays.
    Keep,
    /// It becomes this value: an array of one.
    Fill(ArrayRef),
    /// The row does not fit.
    Reject,
}

/// A JSON column that is taken apart, or put together.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// The source's column; none where the source has no dynamic field.
    pub(super) source: Option<String>,
    /// Name for messages.
    pub(super) name: String,
    pub(super) lifts: Vec<Lift>,
    /// Keys that are added, and where their values come from.
    pub(super) sinks: Vec<(String, Sink)>,
    /// Names that the target declares and the source did not: a key of such a name could be read by nobody.
    pub(super) declared: Vec<String>,
    /// Whether the rest of it is written.
    pub(super) kept: bool,
}

impl Object {
    /// Whether it has to be taken apart at all.
    pub(super) fn has_work(&self) -> bool {
        self.kept || !self.lifts.is_empty() || !self.sinks.is_empty()
    }
}

/// Where the value of a key that is added comes from.
#[derive(Debug, Clone)]
pub(super) enum Sink {
    Column(Field),
    Lift(usize, usize),
    Constant(serde_json::Value),
    Partition,
}

/// A row that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Number of the row in the batch that was mapped.
    pub row: usize,
    /// The source's key.
    pub key: Key,
    /// Field of the target.
    pub field: String,
    /// What does not fit.
    pub reason: String,
}

/// Rows that each rule touched, by the rule in words: `lang: null became the default`.
pub type Touched = BTreeMap<String, u64>;

/// Adds the counts of another batch.
pub fn merge_touched(into: &mut Touched, more: Touched) {
    for (rule, rows) in more {
        *into.entry(rule).or_default() += rows;
    }
}

/// A batch as the target wants it.
#[derive(Debug)]
pub struct Mapped {
    /// The rows that fit.
    pub rows: RowBatch,
    /// Rows that stop the copy.
    pub failed: Vec<Unfit>,
    /// Rows that go to the quarantine.
    pub quarantined: Vec<Unfit>,
    /// Rows that each rule touched.
    pub touched: Touched,
}

impl Columns {
    /// Whether rows may go to the quarantine, so that their number is known only once they were mapped.
    pub fn may_quarantine(&self) -> bool {
        self.operations.iter().any(|operation| operation.on_misfit == OnMisfit::Quarantine)
    }

    /// Whether the name of its partition goes into each row, so that partitions must be read one by one.
    pub fn needs_partition(&self) -> bool {
        self.operations.iter().any(|operation| matches!(operation.take, Take::Partition))
            || self.objects.iter().any(|object| object.sinks.iter().any(|(_, sink)| matches!(sink, Sink::Partition)))
    }

    /// Whether the target's primary key holds the source's key, unchanged.
    pub fn keeps_key(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.name == self.key.name)
    }

    /// The columns that a level of verification needs: all of them, or the key alone.
    pub fn narrowed(&self, level: Verify) -> Self {
        let position = self.write.iter().position(|field| field.primary_key);
        match (level, position) {
            (Verify::Counts | Verify::Sample, Some(position)) if !self.may_quarantine() => self.at(position),
            _ => self.clone(),
        }
    }

    /// One field of the target alone, with the source's key beside it to name rows by.
    pub fn only(&self, name: &str) -> Self {
        let position = self.write.iter().position(|field| field.name == name).unwrap_or_default();
        Self { identity: None, ..self.at(position) }
    }

    /// One field of the target, and of the source only what fills it and the key.
    fn at(&self, position: usize) -> Self {
        let operation = self.operations.get(position).cloned();
        let taken = operation.as_ref().map(|operation| &operation.take);
        // Objects keep their places, because operations know them by number.
        let objects = self.objects.iter().enumerate().map(|(number, object)| {
            let lifted = matches!(taken, Some(Take::Lift(from, _)) if *from == number);
            let lifts = if lifted { object.lifts.clone() } else { Vec::new() };
            Object { lifts, sinks: Vec::new(), declared: Vec::new(), kept: false, ..object.clone() }
        });
        let objects: Vec<Object> = objects.collect();
        let wanted = |field: &&Field| {
            field.primary_key
                || matches!(taken, Some(Take::Column(name)) if *name == field.name)
                || objects.iter().any(|object| object.has_work() && object.source.as_ref() == Some(&field.name))
        };
        Self {
            read: self.read.iter().filter(wanted).cloned().collect(),
            write: self.write.get(position).cloned().into_iter().collect(),
            operations: operation.clone().into_iter().collect(),
            objects: objects.clone(),
            ..self.clone()
        }
    }

    /// The fields of a mapped batch: those that are written, and the source's key where none of them holds it.
    fn fields(&self) -> Vec<Field> {
        let mut fields = self.write.clone();
        if self.identity.is_none() {
            fields.iter_mut().for_each(|field| field.primary_key = false);
            fields.push(Field { name: SOURCE_KEY.to_owned(), primary_key: true, ..self.source_key.clone() });
        }
        fields
    }

    /// The rows of the target that come of `rows`, which stood in `partition`. Columns that are carried unchanged are shared
    /// with `rows`, not copied.
    pub fn apply(&self, rows: &RowBatch, partition: Option<&str>) -> Result<Mapped, BatchError> {
        let mut run = Run { columns: self, rows, partition, unfit: BTreeMap::new(), touched: Touched::new() };
        let mut objects = run.objects()?;
        let mut arrays = Vec::with_capacity(self.write.len() + 1);
        for (field, operation) in self.write.iter().zip(&self.operations) {
            arrays.push(run.column(field, operation, &mut objects)?);
        }
        if self.identity.is_none() {
            arrays.push(Arc::clone(column(rows, &self.source_key.name)?));
        }
        let Run { unfit, touched, .. } = run;
        if unfit.is_empty() {
            let rows = RowBatch::new(&self.fields(), arrays)?;
            return Ok(Mapped { rows, failed: Vec::new(), quarantined: Vec::new(), touched });
        }
        let keep = BooleanArray::from_iter((0..rows.rows()).map(|row| Some(!unfit.contains_key(&row))));
        let arrays = arrays
            .iter()
            .map(|array| {
                arrow_select::filter::filter(array, &keep).map_err(|error| BatchError::Arrow(error.to_string()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mapped = RowBatch::new(&self.fields(), arrays)?;
        let (quarantined, failed): (Vec<_>, Vec<_>) = unfit.into_values().partition(|(_, quarantined)| *quarantined);
        let plain = |list: Vec<(Unfit, bool)>| list.into_iter().map(|(unfit, _)| unfit).collect();
        Ok(Mapped { rows: mapped, failed: plain(failed), quarantined: plain(quarantined), touched })
    }

    /// Keys of the dynamic field that no field of the target takes.
    pub fn leftovers(&self, rows: &RowBatch) -> Result<KeyCensus, BatchError> {
        let mut census = KeyCensus::default();
        let Some(object) = self.objects.iter().find(|object| object.name == DYNAMIC_FIELD) else {
            return Ok(census);
        };
        let source = object.source.as_deref().map(|name| column(rows, name)).transpose()?;
        let reworked = dynamic::rework(source, rows.rows(), &object.lifts, &[], &[], true)?;
        if let Some(rest) = reworked.column {
            census.add(&rest)?;
        }
        Ok(census)
    }
}

fn column<'a>(rows: &'a RowBatch, name: &str) -> Result<&'a ArrayRef, BatchError> {
    rows.column(name).ok_or_else(|| BatchError::MissingColumn(name.to_owned()))
}

/// One batch on its way.
struct Run<'a> {
    columns: &'a Columns,
    rows: &'a RowBatch,
    partition: Option<&'a str>,
    /// Rows that do not fit, each with the first reason, and whether they go to the quarantine.
    unfit: BTreeMap<usize, (Unfit, bool)>,
    touched: Touched,
}

/// A JSON column that was taken apart.
struct Parts {
    lifted: Vec<Vec<Option<serde_json::Value>>>,
    unreadable: Vec<(usize, Misfit)>,
    rest: Option<ArrayRef>,
}

impl Run<'_> {
    fn touch(&mut self, field: &str, what: &str, rows: usize) {
        if rows > 0 {
            *self.touched.entry(format!("{field}: {what}")).or_default() += rows as u64;
        }
    }

    fn misfit(&mut self, row: usize, field: &str, reason: String, on_misfit: OnMisfit) {
        let key = match self.rows.column(&self.columns.source_key.name) {
            Some(_) => self.rows.key(row),
            None => Key::Text(String::new()),
        };
        let unfit = Unfit { row, key, field: field.to_owned(), reason };
        self.unfit.entry(row).or_insert((unfit, on_misfit == OnMisfit::Quarantine));
    }

    /// Takes all JSON columns apart. Values are lifted from every one of them before any is put together, because what is
    /// lifted from one may sink into another.
    fn objects(&mut self) -> Result<Vec<Parts>, BatchError> {
        let count = self.rows.rows();
        let objects = &self.columns.objects;
        let source = |object: &Object| object.source.as_deref().map(|name| column(self.rows, name)).transpose();
        let mut lifted = Vec::with_capacity(objects.len());
        if objects.iter().any(|object| object.sinks.iter().any(|(_, sink)| matches!(sink, Sink::Lift(..)))) {
            for object in objects {
                lifted.push(dynamic::rework(source(object)?, count, &object.lifts, &[], &[], false)?.lifted);
            }
        }
        let mut all = Vec::with_capacity(objects.len());
        let mut wrong = Vec::new();
        for object in objects {
            let mut sinks = Vec::with_capacity(object.sinks.len());
            for (key, sink) in &object.sinks {
                let values = match sink {
                    Sink::Column(field) => {
                        let array = column(self.rows, &field.name)?;
                        (0..count)
                            .map(|row| array.is_valid(row).then(|| convert::to_value(field, array, row)))
                            .collect()
                    }
                    Sink::Lift(number, lift) => lifted[*number][*lift].clone(),
                    Sink::Constant(value) => vec![Some(value.clone()); count],
                    Sink::Partition => vec![Some(self.partition.unwrap_or(DEFAULT_PARTITION).into()); count],
                };
                sinks.push((key.clone(), values));
            }
            if !object.has_work() {
                // It keeps its place, because operations know objects by number.
                all.push(Parts { lifted: Vec::new(), unreadable: Vec::new(), rest: None });
                continue;
            }
            let reworked =
                dynamic::rework(source(object)?, count, &object.lifts, &sinks, &object.declared, object.kept)?;
            wrong.extend(reworked.misfits.into_iter().map(|misfit| (object.name.clone(), misfit)));
            all.push(Parts { lifted: reworked.lifted, unreadable: reworked.unreadable, rest: reworked.column });
        }
        // A field says what becomes of a value that cannot be lifted; a key that it should sink into has no say.
        for (_, sink) in objects.iter().flat_map(|object| &object.sinks) {
            if let Sink::Lift(number, lift) = sink {
                let unreadable = all[*number].unreadable.iter().filter(|(of, _)| of == lift);
                wrong.extend(unreadable.map(|(_, misfit)| (objects[*number].name.clone(), misfit.clone())));
            }
        }
        for (name, misfit) in wrong {
            self.misfit(misfit.row, &name, misfit.reason, OnMisfit::Fail);
        }
        Ok(all)
    }

    fn column(&mut self, field: &Field, operation: &Operation, objects: &mut [Parts]) -> Result<ArrayRef, BatchError> {
        let count = self.rows.rows();
        let truncate = operation.on_misfit == OnMisfit::Truncate;
        let converted = match &operation.take {
            Take::Column(name) => {
                let array = column(self.rows, name)?;
                match &operation.conversion {
                    Some(conversion) if !conversion.is_identity() => conversion.apply(array)?,
                    _ => unchanged(Arc::clone(array)),
                }
            }
            Take::Lift(object, lift) => {
                // Each lift fills one field, so its values need not be copied.
                let values = std::mem::take(&mut objects[*object].lifted[*lift]);
                let found = values.iter().flatten().count();
                let path = self.columns.objects[*object].lifts[*lift].keys.join(".");
                let from = self.columns.objects[*object].name.clone();
                self.touch(&field.name, &format!("taken from {from}.{path}"), found);
                let mut converted =
                    convert::from_values(values, field, self.columns.unit, truncate, self.columns.json_scalars)?;
                let unreadable = objects[*object].unreadable.iter().filter(|(of, _)| of == lift);
                converted.misfits.extend(unreadable.map(|(_, misfit)| misfit.clone()));
                converted.misfits.sort_by_key(|misfit| misfit.row);
                converted
            }
            Take::Object(object) => {
                let rest = objects[*object].rest.clone();
                unchanged(rest.ok_or_else(|| BatchError::MissingColumn(field.name.clone()))?)
            }
            Take::Constant(value) => unchanged(repeated(value, count)?),
            Take::Partition => {
                let name = self.partition.unwrap_or(DEFAULT_PARTITION);
                unchanged(Arc::new(StringArray::from(vec![name; count])))
            }
        };
        let Converted { mut array, misfits, truncated } = converted;
        self.touch(&field.name, "cut to fit", truncated.len());
        let becomes_null = operation.on_misfit == OnMisfit::Null;
        let mut listed = BTreeSet::new();
        if becomes_null {
            self.touch(&field.name, "did not fit and became null", misfits.len());
        }
        for misfit in misfits.into_iter().filter(|_| !becomes_null) {
            listed.insert(misfit.row);
            self.misfit(misfit.row, &field.name, misfit.reason, operation.on_misfit);
        }
        if array.null_count() == 0 {
            return Ok(array);
        }
        match &operation.nulls {
            Nulls::Keep => {}
            Nulls::Fill(value) => {
                self.touch(&field.name, "null became the default", array.null_count() - listed.len());
                array = convert::fill_nulls(&array, value)?;
            }
            Nulls::Reject => {
                let nulls: Vec<usize> = (0..count).filter(|row| array.is_null(*row) && !listed.contains(row)).collect();
                for row in nulls {
                    self.misfit(row, &field.name, "null, and the field takes none".to_owned(), operation.on_misfit);
                }
            }
        }
        Ok(array)
    }
}

/// A row as JSON, field by field.
pub fn row_as_json(fields: &[Field], rows: &RowBatch, row: usize) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for field in fields {
        if let Some(column) = rows.column(&field.name) {
            let value =
                if column.is_valid(row) { convert::to_value(field, column, row) } else { serde_json::Value::Null };
            object.insert(field.name.clone(), value);
        }
    }
    serde_json::Value::Object(object)
}

fn unchanged(array: ArrayRef) -> Converted {
    Converted { array, misfits: Vec::new(), truncated: Vec::new() }
}

/// An array of one, `count` times over.
fn repeated(value: &ArrayRef, count: usize) -> Result<ArrayRef, BatchError> {
    let places = UInt32Array::from(vec![0; count]);
    arrow_select::take::take(value, &places, None).map_err(|error| BatchError::Arrow(error.to_string()))
}
