//! Plan files: from text to a checked plan, without touching the network. Every mistake of every file is reported at once,
//! each at its line and column.
//!
//! The way of a file: [`files`] reads it, [`yaml`] makes a [`tree`] with byte positions, [`schema`] holds it against the
//! JSON Schema, [`model`], [`shape_spec`] and [`field_spec`] are its typed form, [`rules`] and [`targets`] say what a
//! schema can't, and [`resolve`] fills in what was left out. `vecferry.toml` takes the same way through [`settings`].

mod address;
mod cloud;
mod cloud_spec;
mod connection;
pub mod draft;
mod explain;
mod field_spec;
mod files;
#[cfg(test)]
mod generate;
mod model;
pub mod named;
mod names;
mod report;
mod resolve;
mod resolve_shape;
pub mod resolved;
mod rules;
mod schema;
mod schema_words;
mod secrets;
mod settings;
mod shape_spec;
mod state_place;
mod suggest;
mod targets;
pub mod tiers;
mod tree;
mod values;
mod yaml;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

pub(crate) use connection::Address;
pub use names::is_milvus_name;
pub use resolved::ResolvedPlan;
pub use schema::{PLAN_SCHEMA, SETTINGS_SCHEMA};
pub use settings::{MEMORY, Settings};
pub use state_place::StatePlace;

use crate::diagnostic::{Code, Diagnostic, SourceText, Span};
use model::PlanFile;
use resolve::Resolved;
use settings::SettingsFiles;
use tree::{Document, Step};

/// Checked plans and what applies to all of them.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// One for each file, in the order given.
    pub plans: Vec<ResolvedPlan>,
    /// What `vecferry.toml` says, or the defaults.
    pub settings: Settings,
    /// What is worth knowing but stops nothing.
    pub warnings: Vec<Diagnostic>,
}

/// Reads, checks and resolves plan files. A folder stands for all `*.yaml` and `*.yml` files in it and below, without
/// hidden ones.
///
/// # Errors
///
/// All problems of all files, warnings among them, in the order of the files and of the places in them. At least one is
/// an error.
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Vec<Diagnostic>> {
    let mut settings_files = SettingsFiles::default();
    let mut diagnostics = Vec::new();
    let mut about_settings = Vec::new();
    let files =
        files::expand(paths, |folder| is_state(folder, &mut settings_files, &mut about_settings), &mut diagnostics);
    let mut plans = Vec::new();
    let mut used_settings: Vec<Option<usize>> = Vec::new();
    for file in &files {
        let mut found = Vec::new();
        let folder = settings::folder_of(file);
        let settings = settings_files.find(&folder, &mut about_settings);
        used_settings.push(settings);
        let machine = settings.and_then(|index| settings_files.get(index));
        let plan = read(file, machine, !about_settings.is_empty(), &mut found);
        plans.extend(plan);
        diagnostics.extend(in_order(found));
    }
    let resolved: Vec<_> = plans.iter().map(|(document, plan)| (document, plan)).collect();
    merge(&mut diagnostics, targets::check(&resolved));
    let settings = one_settings(&files, &used_settings, &settings_files, &mut diagnostics);
    diagnostics.splice(0..0, in_order(about_settings));
    match settings {
        Some(settings) if !diagnostics.iter().any(Diagnostic::is_error) => Ok(Loaded {
            plans: plans.into_iter().map(|(_, resolved)| resolved.plan).collect(),
            settings,
            warnings: diagnostics,
        }),
        _ => Err(diagnostics),
    }
}

/// What [`load`] does with each file, for a plan that is no file.
#[cfg(any(test, feature = "fuzzing", feature = "benching"))]
pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> (Option<ResolvedPlan>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let plan = match files::decode(path, bytes) {
        Ok(text) => check(path, text, None, false, &mut diagnostics),
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            None
        }
    };
    let mut diagnostics = in_order(diagnostics);
    if let Some((document, resolved)) = &plan {
        merge(&mut diagnostics, targets::check(&[(document, resolved)]));
    }
    (plan.map(|(_, resolved)| resolved.plan), diagnostics)
}

/// What is wrong with a `vecferry.toml` that is no file, and what it says where it could be read.
#[cfg(any(test, feature = "fuzzing"))]
pub fn settings_from_bytes(path: &Path, bytes: Vec<u8>) -> (Option<Settings>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let read = match files::decode(path, bytes) {
        Ok(text) => settings::read_text(path, text, &mut diagnostics),
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            None
        }
    };
    (read.map(|read| read.settings()), in_order(diagnostics))
}

/// What applies to plans in a folder, for commands that are given no plan.
///
/// # Errors
///
/// The problems of the `vecferry.toml` that was found.
pub fn settings_in(folder: &Path) -> Result<Settings, Vec<Diagnostic>> {
    let (mut settings_files, mut diagnostics) = (SettingsFiles::default(), Vec::new());
    let found = settings_files.find(folder, &mut diagnostics);
    match found.and_then(|index| settings_files.get(index)) {
        Some(read) if !diagnostics.iter().any(Diagnostic::is_error) => Ok(read.settings()),
        None if diagnostics.is_empty() => Ok(Settings::without_file(&folder.join("plan.yaml"))),
        _ => Err(diagnostics),
    }
}

/// Whether a folder is the one that holds the state.
fn is_state(folder: &Path, settings_files: &mut SettingsFiles, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let Some(parent) = folder.parent() else {
        return false;
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let Some(index) = settings_files.find(parent, diagnostics) else {
        return false;
    };
    let state = settings_files.get(index).map(|read| read.settings().state);
    let state = state.as_ref().and_then(StatePlace::folder);
    let real = |path: &Path| fs_err::canonicalize(path).ok();
    state.is_some_and(|state| real(state).is_some() && real(state) == real(folder))
}

/// Reads and checks one file; where it is partly wrong, the rest is checked all the same.
fn read(
    file: &Path,
    machine: Option<&settings::SettingsFileRead>,
    settings_broken: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(Document, Resolved)> {
    match files::read(file) {
        Ok(text) => check(file, text, machine, settings_broken, diagnostics),
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            None
        }
    }
}

/// Checks the text of one file.
fn check(
    file: &Path,
    text: String,
    machine: Option<&settings::SettingsFileRead>,
    settings_broken: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(Document, Resolved)> {
    let whole = parse(&files::name(file), text, diagnostics)?;
    let mut document = whole.clone();
    if !schema::check_plan(&mut document, diagnostics) {
        return None;
    }
    let plan: PlanFile = typed(&document, diagnostics)?;
    let subject = rules::Subject { document: &document, whole: &whole, plan: &plan, settings: machine };
    let mut found = rules::check(&subject);
    if settings_broken && machine.is_none() {
        // The file is there and could not be read, which is reported once and at its own place.
        found.retain(|diagnostic| diagnostic.code != Code::NoSettingsFile);
    }
    diagnostics.extend(found);
    let resolved = resolve::resolve(file, &document, &plan, machine);
    Some((document, resolved))
}

fn parse(name: &str, text: String, diagnostics: &mut Vec<Diagnostic>) -> Option<Document> {
    let (root, problems, masks) = match yaml::parse(&text) {
        Ok((root, problems)) => {
            let mut masks = secrets::in_tree(&text, &root);
            if !problems.is_empty() {
                // The second value of a key that is given twice is not in the tree.
                masks.extend(secrets::in_text(&text));
            }
            (Some(root), problems, masks)
        }
        Err(problem) => (None, vec![problem], secrets::in_text(&text)),
    };
    let source = Arc::new(SourceText::with_masks(name, text, masks));
    for problem in problems {
        let mut diagnostic = Diagnostic::new(problem.code, problem.message).at(Span::new(&source, problem.range));
        diagnostic.help = problem.help;
        diagnostics.push(diagnostic);
    }
    Some(Document { source, root: root? })
}

/// The typed form of a tree that fits its schema.
fn typed<T: DeserializeOwned>(document: &Document, diagnostics: &mut Vec<Diagnostic>) -> Option<T> {
    match serde_path_to_error::deserialize(document.root.to_value()) {
        Ok(model) => Some(model),
        Err(error) => {
            let path: Vec<Step> = error
                .path()
                .iter()
                .filter_map(|segment| match segment {
                    serde_path_to_error::Segment::Seq { index } => Some(Step::from(*index)),
                    serde_path_to_error::Segment::Map { key } => Some(Step::from(key)),
                    _ => None,
                })
                .collect();
            // Without serde's own words, which may repeat a secret value.
            diagnostics
                .push(Diagnostic::new(Code::ShapeMismatch, "this value can't be understood").at(document.span(&path)));
            None
        }
    }
}

/// The most that is reported of one file.
const MAX_PER_FILE: usize = explain::MAX_FINDINGS;

fn in_order(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by_key(|diagnostic| diagnostic.span.as_ref().map_or(0, |span| span.range.start));
    if found.len() > MAX_PER_FILE {
        found.truncate(MAX_PER_FILE);
        let mut last = Diagnostic::new(Code::TooManyProblems, "there are more problems in this file than are shown")
            .help("mend the ones above and validate again");
        last.span = found.last().and_then(|diagnostic| diagnostic.span.clone());
        found.push(last);
    }
    found
}

/// Puts messages where the others about the same file are.
fn merge(diagnostics: &mut Vec<Diagnostic>, more: Vec<Diagnostic>) {
    for diagnostic in in_order(more) {
        let Some(span) = &diagnostic.span else {
            diagnostics.push(diagnostic);
            continue;
        };
        let same_file =
            |other: &Diagnostic| other.span.as_ref().is_some_and(|other| other.source.name == span.source.name);
        let at = diagnostics
            .iter()
            .rposition(|other| {
                same_file(other) && other.span.as_ref().is_some_and(|other| other.range.start <= span.range.start)
            })
            .map(|at| at + 1)
            .or_else(|| diagnostics.iter().position(same_file))
            .unwrap_or(diagnostics.len());
        diagnostics.insert(at, diagnostic);
    }
}

/// The settings that apply to all files, which must be the same.
fn one_settings(
    files: &[PathBuf],
    used: &[Option<usize>],
    settings_files: &SettingsFiles,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Settings> {
    let (first, rest) = used.split_first()?;
    let describe = |index: &Option<usize>| {
        index
            .and_then(|index| settings_files.get(index))
            .map_or_else(|| "none".to_owned(), |read| format!("`{}`", files::name(&read.path)))
    };
    if let Some(at) = rest.iter().position(|other| other != first) {
        diagnostics.push(
            files::about_file(
                Code::SettingsDiffer,
                &files[at + 1],
                format!(
                    "this plan lies under another vecferry.toml ({}) than `{}` ({})",
                    describe(&rest[at]),
                    files::name(&files[0]),
                    describe(first)
                ),
            )
            .help("give them in separate commands, or use one vecferry.toml above all of them"),
        );
        return None;
    }
    match first.and_then(|index| settings_files.get(index)) {
        Some(read) => Some(read.settings()),
        None => Some(Settings::without_file(&files[0])),
    }
}

#[cfg(test)]
mod tests;
