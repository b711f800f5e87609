//! `vecferry.toml`: found upward from a plan, it holds what belongs to the machine and not to the migration.

use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::cloud;
use super::cloud_spec::ProfileSpec;
use super::connection;
use super::files::{self, STATE_FOLDER};
use super::model::{LimitsSpec, SettingsFile};
use super::report::Report;
use super::resolved::{Limits, SPLIT_ROWS};
use super::schema;
use super::secrets;
use super::state_place::{self, StatePlace};
use super::tree::{Document, Entry, Kind, Node, child, steps};
use super::typed;
use crate::diagnostic::{Code, Diagnostic, SourceText, Span};

/// The file's name.
pub const SETTINGS_FILE: &str = "vecferry.toml";

/// Splits in flight at once, where nothing else is said.
const CONCURRENCY: usize = 4;

/// What applies to a run whatever its plans say.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The `vecferry.toml` that was found.
    pub file: Option<PathBuf>,
    /// Where the state of runs lies.
    pub state: StatePlace,
    /// Limits of migrations that set none; already part of the resolved plans.
    pub limits: Limits,
    /// Bytes of memory that the process is to keep to.
    pub memory: u64,
}

/// Bytes of memory that a process keeps to, where nothing else is said.
pub const MEMORY: u64 = 256 << 20;

impl Settings {
    /// Where no `vecferry.toml` was found: the state lies beside the first plan.
    pub(crate) fn without_file(first_plan: &FilePath) -> Self {
        Self {
            file: None,
            state: StatePlace::Folder(folder_of(first_plan).join(STATE_FOLDER)),
            limits: limits(None, None),
            memory: MEMORY,
        }
    }

    /// Where nothing counts but the place of the state.
    pub fn with_state(state: StatePlace) -> Self {
        Self { file: None, state, limits: limits(None, None), memory: MEMORY }
    }
}

/// The folder that a file lies in.
pub(crate) fn folder_of(file: &FilePath) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Limits by precedence: the migration's, the machine's, the built-in ones.
pub(crate) fn limits(migration: Option<&LimitsSpec>, machine: Option<&LimitsSpec>) -> Limits {
    let pick = |limit: Option<f64>, other: Option<f64>| limit.or(other);
    Limits {
        write_mb_per_s: pick(
            migration.and_then(|limits| limits.write_mb_per_s),
            machine.and_then(|limits| limits.write_mb_per_s),
        ),
        concurrency: migration
            .and_then(|limits| limits.concurrency)
            .or(machine.and_then(|limits| limits.concurrency))
            .map_or(CONCURRENCY, |concurrency| concurrency as usize),
        split_rows: migration
            .and_then(|limits| limits.split_rows)
            .or(machine.and_then(|limits| limits.split_rows))
            .map_or(SPLIT_ROWS, u64::from),
    }
}

/// A `vecferry.toml` as read.
#[derive(Debug)]
pub(crate) struct SettingsFileRead {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// What it says, without its invalid parts.
    pub(crate) document: Document,
    model: Option<SettingsFile>,
    profile_names: Vec<String>,
}

impl SettingsFileRead {
    /// The folder that relative paths in it start at.
    pub(crate) fn folder(&self) -> PathBuf {
        folder_of(&self.path)
    }

    /// The names under `[profiles]`, those with mistakes too.
    pub(crate) fn profile_names(&self) -> Vec<String> {
        self.profile_names.clone()
    }

    /// A profile without mistakes in its shape.
    pub(crate) fn profile(&self, name: &str) -> Option<&ProfileSpec> {
        self.model.as_ref()?.profiles.get(name)
    }

    /// Limits of migrations that set none.
    pub(crate) fn limits(&self) -> Option<&LimitsSpec> {
        self.model.as_ref()?.limits.as_ref()
    }

    /// What it says about every run.
    pub(crate) fn settings(&self) -> Settings {
        let said = self.model.as_ref().and_then(|model| model.state.as_ref());
        let state = said.and_then(|state| StatePlace::of(state, &self.folder()));
        Settings {
            file: Some(self.path.clone()),
            state: state.unwrap_or_else(|| StatePlace::Folder(self.folder().join(STATE_FOLDER))),
            limits: limits(None, self.limits()),
            memory: MEMORY,
        }
    }
}

/// All `vecferry.toml` files that the given plans lie under, each read once.
#[derive(Debug, Default)]
pub(crate) struct SettingsFiles {
    read: Vec<SettingsFileRead>,
    unreadable: Vec<PathBuf>,
}

impl SettingsFiles {
    /// The one that applies in a folder: the first found upward from it.
    pub(crate) fn find(&mut self, folder: &FilePath, diagnostics: &mut Vec<Diagnostic>) -> Option<usize> {
        let start = std::path::absolute(folder).ok()?;
        // Through links, because `..` of a linked folder is not where the user stands.
        let start = fs_err::canonicalize(&start).unwrap_or(start);
        let path = start.ancestors().map(|folder| folder.join(SETTINGS_FILE)).find(|path| path.is_file())?;
        if let Some(known) = self.read.iter().position(|read| read.path == path) {
            return Some(known);
        }
        if self.unreadable.contains(&path) {
            return None;
        }
        match read(&path, diagnostics) {
            Some(read) => {
                self.read.push(read);
                Some(self.read.len() - 1)
            }
            None => {
                self.unreadable.push(path);
                None
            }
        }
    }

    /// One that [`find`](Self::find) found.
    pub(crate) fn get(&self, index: usize) -> Option<&SettingsFileRead> {
        self.read.get(index)
    }
}

fn read(path: &FilePath, diagnostics: &mut Vec<Diagnostic>) -> Option<SettingsFileRead> {
    match files::read(path) {
        Ok(text) => read_text(path, text, diagnostics),
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            None
        }
    }
}

/// Reads and checks the text of one file.
pub(crate) fn read_text(path: &FilePath, text: String, diagnostics: &mut Vec<Diagnostic>) -> Option<SettingsFileRead> {
    let name = files::name(path);
    let root = match DeTable::parse(&text) {
        Ok(table) => table_node(table.span(), table.get_ref()),
        Err(error) => {
            let masks = secrets::in_text(&text);
            let range = error.span().unwrap_or(0..0);
            let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
            let source = Arc::new(SourceText::with_masks(name, text, masks));
            diagnostics.push(Diagnostic::new(Code::TomlSyntax, message).at(Span::new(&source, range)));
            // As if it was empty: that its profiles are unknown is no news.
            return None;
        }
    };
    let masks = secrets::in_tree(&text, &root);
    let source = Arc::new(SourceText::with_masks(name, text, masks));
    let profile_names = match root.find(&steps!["profiles"]).map(|node| &node.kind) {
        Some(Kind::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
        _ => Vec::new(),
    };
    let mut document = Document { source, root };
    let model = if schema::check_settings(&mut document, diagnostics) {
        typed::<SettingsFile>(&document, diagnostics)
    } else {
        None
    };
    if let Some(model) = &model {
        let mut report = Report::new(&document);
        for (name, profile) in &model.profiles {
            let at = steps!["profiles", name];
            match profile {
                ProfileSpec::Milvus(milvus) => connection::check(&mut report, &at, milvus),
                ProfileSpec::Cloud(profile) => {
                    cloud::check(&mut report, &child(&at, "zilliz_cloud"), &profile.zilliz_cloud);
                }
            }
        }
        if let Some(state) = &model.state {
            state_place::check(&mut report, state);
        }
        diagnostics.extend(report.finish());
    }
    Some(SettingsFileRead { path: path.to_owned(), document, model, profile_names })
}

fn table_node(range: Range<usize>, table: &DeTable<'_>) -> Node {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry { key: key.get_ref().to_string(), key_range: key.span(), node: value_node(value) })
        .collect();
    entries.sort_by_key(|entry| entry.key_range.start);
    Node::new(range, Kind::Map(entries))
}

fn value_node(value: &Spanned<DeValue<'_>>) -> Node {
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::Scalar(Value::String(text.to_string())),
        DeValue::Integer(number) => Kind::Scalar(
            i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Value::String(number.to_string()), Value::from),
        ),
        DeValue::Float(number) => Kind::Scalar(
            number
                .as_str()
                .parse()
                .ok()
                .and_then(Number::from_f64)
                .map_or_else(|| Value::String(number.to_string()), Value::Number),
        ),
        DeValue::Boolean(value) => Kind::Scalar(Value::Bool(*value)),
        DeValue::Datetime(time) => Kind::Scalar(Value::String(time.to_string())),
        DeValue::Array(items) => Kind::List(items.iter().map(value_node).collect()),
        DeValue::Table(table) => return table_node(value.span(), table),
    };
    Node::new(value.span(), kind)
}
