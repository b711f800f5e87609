//! What is copied in a sequence, in which shape, and what should be there in the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, FixedSizeListArray, Float32Array, Int64Array, StringArray};
use proptest::prelude::*;

use super::script::{Script, Trouble, script};
use super::world::{Collection, NUMBER, Row, World};
use crate::collection::{CollectionSchema, DEFAULT_PARTITION, DataType, Field, Index, Key, LiveCollection, LoadState};
use crate::plan::resolved::{FieldSettings, Indexes, OnExisting, OnMisfit, PrimaryKey, Settings, Verify};

/// Name of the collection on both sides.
pub const NAME: &str = "docs";
/// Numbers of rows that only the target has at first begin here, and those of rows that come to the source later.
const FOREIGN: i64 = 900;
const LATER: i64 = 500;
/// Longest title that fits.
const FITS: usize = 8;

/// What the keys are, and what is on the target before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// INT64 keys into a new collection.
    Int,
    /// VARCHAR keys.
    Text,
    /// The server makes the keys, and a field keeps the old ones.
    Kept,
    /// The server makes the keys, and the old ones are lost.
    Unkept,
    /// Another field is the primary key, and the old one is a field.
    Promoted,
    /// Another field is the primary key, and the old one is left behind.
    PromotedAlone,
    /// The target is there and half right; rows that only it has stay.
    Converge,
    /// The same, and they are removed.
    Prune,
    /// The same where the server makes the keys and a field keeps the old ones.
    PruneKept,
    /// The target is there, and is dropped first.
    Replace,
}

/// One sequence.
#[derive(Debug, Clone)]
pub struct Case {
    pub flavour: Flavour,
    pub rows: i64,
    pub split_rows: usize,
    /// Whether the splits come from a census of the look, or are counted by the run.
    pub counted_before: bool,
    pub partitioned: bool,
    /// Whether some rows of the source have a key twice.
    pub doubles: bool,
    /// Whether some rows do not fit and go to the quarantine.
    pub misfits: bool,
    pub at_once: usize,
    pub load: bool,
    pub source_loaded: bool,
    pub verify: Verify,
    pub seed: u64,
    pub script: Script,
}

/// Sequences of one flavour.
pub fn cases(flavour: Flavour) -> impl Strategy<Value = Case> {
    let shape = (4_i64..20, 2_usize..7, 1_usize..4, any::<u64>());
    let often = || prop::bool::weighted(0.7);
    let switches = (often(), any::<bool>(), prop::bool::weighted(0.2), any::<bool>(), any::<bool>(), often(), often());
    (shape, switches, script()).prop_map(move |(shape, switches, script)| {
        let verify = if switches.6 { Verify::Full } else { Verify::Counts };
        let script =
            script.into_iter().filter(|(_, trouble)| flavour.can_stand(*trouble, verify, switches.2)).collect();
        Case {
            flavour,
            rows: shape.0,
            split_rows: shape.1,
            at_once: shape.2,
            seed: shape.3,
            counted_before: switches.0,
            partitioned: switches.1,
            doubles: switches.2,
            misfits: switches.3,
            load: switches.4,
            source_loaded: switches.5,
            verify,
            script,
        }
    })
}

impl Flavour {
    pub fn converges(self) -> bool {
        matches!(self, Self::Converge | Self::Prune | Self::PruneKept)
    }

    /// Whether a run of this flavour can be expected to come through.
    fn can_stand(self, trouble: Trouble, verify: Verify, doubles: bool) -> bool {
        match trouble {
            // What converges has no mark to tell a stranger by before it is complete.
            Trouble::Stranger => !self.converges(),
            // Counts show that rows came, and not that others went at the same time or changed; and where keys are doubled, counts
            // are all that is looked at.
            Trouble::SourceChanges(_) => verify == Verify::Full && !doubles,
            // Nothing on the target tells which row the source no longer has: such a run ends with the difference.
            Trouble::SourceShrinks(_) => verify == Verify::Full && !doubles && self != Self::PromotedAlone,
            _ => true,
        }
    }

    fn keeps(self) -> bool {
        matches!(self, Self::Kept | Self::PruneKept)
    }
}

fn schema(key: Field) -> CollectionSchema {
    let with = |field: Field, name: &str, value: &str| Field {
        params: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        ..field
    };
    CollectionSchema {
        description: String::new(),
        fields: vec![
            key,
            Field::new(NUMBER, DataType::Int64),
            with(Field::new("title", DataType::VarChar), "max_length", "32"),
            with(Field::new("v", DataType::FloatVector), "dim", "2"),
        ],
        dynamic_field: false,
        functions: Vec::new(),
        shards: 1,
        consistency: None,
        properties: BTreeMap::new(),
        key_partitions: None,
        struct_fields: Vec::new(),
    }
}

fn cell(key: &Key) -> ArrayRef {
    match key {
        Key::Int(key) => Arc::new(Int64Array::from(vec![*key])),
        Key::Text(key) => Arc::new(StringArray::from(vec![key.as_str()])),
    }
}

fn row(key: &Key, number: i64, title: &str, partition: &str) -> Row {
    let numbers = Float32Array::from(vec![number as f32, 0.5]);
    let item = arrow_schema::Field::new("item", arrow_schema::DataType::Float32, false);
    let vector = FixedSizeListArray::new(Arc::new(item), 2, Arc::new(numbers), None);
    let cells: [(&str, ArrayRef); 4] = [
        ("id", cell(key)),
        (NUMBER, Arc::new(Int64Array::from(vec![number]))),
        ("title", Arc::new(StringArray::from(vec![title]))),
        ("v", Arc::new(vector)),
    ];
    Row {
        partition: partition.to_owned(),
        cells: cells.into_iter().map(|(name, cell)| (name.to_owned(), cell)).collect(),
    }
}

impl Case {
    fn key_field(&self) -> Field {
        let mut key = Field { primary_key: true, ..Field::new("id", DataType::Int64) };
        if self.flavour == Flavour::Text {
            key.data_type = DataType::VarChar;
            key.params.insert("max_length".into(), "32".into());
        }
        key
    }

    fn key(&self, number: i64) -> Key {
        match self.flavour {
            Flavour::Text => Key::Text(format!("k{:03}", (number * 7) % 100)),
            _ => Key::Int(number * 7 - 30),
        }
    }

    fn partitions(&self) -> Vec<String> {
        let names = if self.partitioned { &[DEFAULT_PARTITION, "p1", "p2"][..] } else { &[DEFAULT_PARTITION][..] };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn rows(&self) -> Vec<Row> {
        let partitions = self.partitions();
        (0..self.rows)
            .map(|number| {
                let title = if self.misfits && number % 5 == 2 { "much too long" } else { "fits" };
                row(&self.key(number), number, title, &partitions[number as usize % partitions.len()])
            })
            .collect()
    }

    pub fn source(&self) -> Collection {
        let mut rows = self.rows();
        if self.doubles {
            rows.extend(rows.iter().filter(|row| row.number() % 4 == 1).cloned().collect::<Vec<_>>());
        }
        let index = Index {
            field: "v".into(),
            name: "v".into(),
            params: BTreeMap::from([("index_type".into(), "FLAT".into())]),
        };
        let (partitions, loaded) = (self.partitions(), self.source_loaded);
        Collection { partitions, indexes: vec![index], loaded, rows, ..Collection::new(7, schema(self.key_field())) }
    }

    /// What is on the target before: rows that are right, that differ, that stand there twice, and that nobody sent.
    pub fn target(&self, wanted: &CollectionSchema) -> Option<Collection> {
        if !self.flavour.converges() && self.flavour != Flavour::Replace {
            return None;
        }
        let mut rows: Vec<Row> = self.rows().into_iter().filter(|row| row.number() % 3 != 0).collect();
        for row in rows.iter_mut().filter(|row| row.number() % 4 == 2) {
            row.cells.insert("title".into(), Arc::new(StringArray::from(vec!["other"])));
        }
        rows.extend(rows.iter().filter(|row| row.number() % 5 == 1).cloned().collect::<Vec<_>>());
        rows.push(row(&Key::Int(-29), FOREIGN, "foreign", DEFAULT_PARTITION));
        rows.push(row(&Key::Int(61), FOREIGN + 1, "foreign", DEFAULT_PARTITION));
        if self.flavour.keeps() {
            for (number, row) in rows.iter_mut().enumerate() {
                let made: ArrayRef = Arc::new(Int64Array::from(vec![500_000 + number as i64]));
                let kept = row.cells.insert("id".into(), made).unwrap();
                row.cells.insert("old".into(), kept);
            }
        }
        Some(Collection { rows, partitions: self.partitions(), ..Collection::new(8, wanted.clone()) })
    }

    pub fn settings(&self) -> Settings {
        let on_existing = match self.flavour {
            Flavour::Replace => OnExisting::Replace,
            flavour if flavour.converges() => OnExisting::Converge,
            _ => OnExisting::Fail,
        };
        let mut settings = Settings::plain(on_existing);
        let title = FieldSettings {
            max_length: Some(FITS as u32),
            on_misfit: OnMisfit::Quarantine,
            ..FieldSettings::default()
        };
        settings.fields.insert("title".into(), title);
        settings.aliases = vec!["live".into()];
        settings.indexes =
            if self.seed.is_multiple_of(2) || self.flavour.converges() { Indexes::Auto } else { Indexes::None };
        (settings.load, settings.verify, settings.prune) =
            (self.load, self.verify, matches!(self.flavour, Flavour::Prune | Flavour::PruneKept));
        // Nobody changes rows in place behind the back of a plan that does not say so; a third of the others say so all the same.
        let edits =
            |(_, trouble): &(_, Trouble)| matches!(trouble, Trouble::SourceChanges(_) | Trouble::SourceShrinks(_));
        settings.live_source = self.script.iter().any(edits) || self.seed.is_multiple_of(3);
        match self.flavour {
            Flavour::Kept | Flavour::PruneKept => {
                settings.primary_key =
                    PrimaryKey { auto_id: Some(true), keep_as: Some("old".into()), ..PrimaryKey::default() };
            }
            Flavour::Unkept => settings.primary_key.auto_id = Some(true),
            Flavour::Promoted | Flavour::PromotedAlone => settings.primary_key.field = Some(NUMBER.into()),
            _ => {}
        }
        if self.flavour == Flavour::PromotedAlone {
            settings.drop = vec!["id".into()];
        }
        settings
    }

    /// The rows that should be on the target, by their numbers.
    pub fn wanted<'a>(&self, world: &'a World) -> BTreeMap<i64, &'a Row> {
        let source = &world.source[NAME];
        let title = |row: &Row| row.key("title");
        let fits = |row: &&Row| matches!(title(row), Key::Text(title) if title.len() <= FITS);
        source.rows.iter().filter(fits).map(|row| (row.number(), row)).collect()
    }

    /// What is wrong with the target.
    pub fn wrong(&self, world: &World) -> Vec<String> {
        let mut wrong = Vec::new();
        let Some(target) = world.target.get(NAME) else { return vec!["there is no target".into()] };
        let mut missing = self.wanted(world);
        let mut seen = std::collections::BTreeSet::new();
        for row in &target.rows {
            let number = row.number();
            if self.flavour == Flavour::Converge && !missing.contains_key(&number) && !seen.contains(&number) {
                // Nobody wants it, however often it is there, and nobody asked for it to be removed.
                continue;
            }
            if !seen.insert(number) {
                wrong.push(format!("row {number} stands there twice"));
                continue;
            }
            let Some(wanted) = missing.remove(&number) else {
                wrong.push(format!("nobody wants row {number}"));
                continue;
            };
            let mut fields = vec![("title", "title"), ("v", "v")];
            match self.flavour {
                Flavour::Kept | Flavour::PruneKept => fields.push(("id", "old")),
                Flavour::Unkept | Flavour::PromotedAlone => {}
                _ => fields.push(("id", "id")),
            }
            let differs = |(here, there): &(&str, &str)| wanted.cells[*here].to_data() != row.cells[*there].to_data();
            if fields.iter().any(differs) || wanted.partition != row.partition {
                wrong.push(format!("row {number} differs: {row:?} instead of {wanted:?}"));
            }
        }
        wrong.extend(missing.keys().map(|number| format!("row {number} is missing")));
        wrong
    }
}

/// A source that is loaded, with so many rows and an index.
pub fn plain(id: i64, rows: i64) -> Collection {
    let key = Field { primary_key: true, ..Field::new("id", DataType::Int64) };
    let rows = (0..rows).map(|number| row(&Key::Int(number * 7 - 30), number, "fits", DEFAULT_PARTITION)).collect();
    let params = BTreeMap::from([("index_type".into(), "FLAT".into())]);
    let indexes = vec![Index { field: "v".into(), name: "v".into(), params }];
    Collection { rows, indexes, loaded: true, ..Collection::new(id, schema(key)) }
}

/// Adds a row to the target that no source has.
pub fn intrude(world: &mut World) {
    let Some(target) = world.target.get_mut(NAME) else { return };
    world.landed = world.calls;
    target.changing(world.calls).push(row(&Key::Int(1_000), FOREIGN, "foreign", DEFAULT_PARTITION));
}

/// Adds a row to the source.
pub fn grow(world: &mut World, dice: u8) {
    world.source_changed = world.calls;
    let Some(source) = world.source.get_mut(NAME) else { return };
    let number = source.rows.iter().map(Row::number).max().unwrap_or_default().max(LATER) + 1;
    let key = match source.schema.primary_key().map(|key| key.data_type) {
        Some(DataType::VarChar) => Key::Text(format!("k{:03}-{number}", dice % 100)),
        // Keys of the first rows are seven apart, so these fall between them and beyond.
        _ => (-40..)
            .map(|step| Key::Int(step + i64::from(dice)))
            .find(|key| !source.rows.iter().any(|row| row.key("id") == *key))
            .unwrap_or(Key::Int(number)),
    };
    let partition = source.partitions[usize::from(dice) % source.partitions.len()].clone();
    source.changing(world.calls).push(row(&key, number, "later", &partition));
}

/// Removes a row of the source.
pub fn shrink(world: &mut World, dice: u8) {
    (world.source_changed, world.source_edited) = (world.calls, world.calls);
    let Some(source) = world.source.get_mut(NAME) else { return };
    if let Some(gone) = source.rows.get(usize::from(dice) % source.rows.len().max(1)).map(Row::number) {
        source.changing(world.calls).retain(|row| row.number() != gone);
    }
}

/// Changes a row of the source.
pub fn change(world: &mut World, dice: u8) {
    (world.source_changed, world.source_edited) = (world.calls, world.calls);
    let Some(source) = world.source.get_mut(NAME) else { return };
    let Some(number) = source.rows.get(usize::from(dice) % source.rows.len().max(1)).map(Row::number) else { return };
    for row in source.changing(world.calls).iter_mut().filter(|row| row.number() == number) {
        row.cells.insert("title".into(), Arc::new(StringArray::from(vec![format!("new {dice}")])));
    }
}

/// A collection as its cluster describes it, for a look.
pub fn described(there: &Collection) -> LiveCollection {
    LiveCollection {
        id: there.id,
        name: NAME.into(),
        schema: there.schema.clone(),
        partitions: there.partitions.clone(),
        indexes: there.indexes.clone(),
        load_state: if there.loaded { LoadState::Loaded } else { LoadState::NotLoaded },
        unloaded_partitions: Vec::new(),
        aliases: Vec::new(),
        mark: there.mark.clone(),
    }
}
