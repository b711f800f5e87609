//! Saved plans: everything that was decided, in one JSON document that a colleague can review and `apply` carries out exactly.
//!
//! The document is deterministic: the same plans and the same clusters give the same bytes, so it holds no time and no random
//! number. It holds no secrets, only where they come from, and refuses to be made where a plan holds one itself. A checksum over
//! its contents shows that nobody changed it: what is applied is what was reviewed.

mod endpoint;
mod pins;
mod sha;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::{Code, Diagnostic, SourceText, Span};
use crate::diff::{Change, ClusterChange, Diff};
use crate::plan::resolved::{Engine, Limits, Migration, Select, Selection, Settings};
use crate::plan::{ResolvedPlan, StatePlace};
pub use endpoint::LiteralSecret;
use endpoint::SavedEndpoint;
pub use pins::{Difference, Pin, differences};

/// Version of the document. A new minor version only adds; a new major version is refused.
pub const FORMAT_VERSION: &str = "1.0";
/// What the document says that it is.
const KIND: &str = "vecferry_saved_plan";
/// More than any plan's: a file that is larger is another one.
const MOST_BYTES: u64 = 512 << 20;
/// Version of the hash over all plans.
const HASH_VERSION: &str = "p1";

/// A saved plan, as `vecferry plan --out FILE` writes it: to be read by whoever wants to check it, and applied by the version of
/// vecferry that made it only. Whoever changes it spoils it, which is what `checksum` is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SavedPlan {
    /// Always `vecferry_saved_plan`.
    #[cfg_attr(test, schemars(extend("const" = KIND)))]
    kind: String,
    /// Version of this document: readers refuse a major version that they do not know.
    #[cfg_attr(test, schemars(regex(pattern = r"^1\.[0-9]+$")))]
    format_version: String,
    /// Version of vecferry that made it, which alone applies it.
    tool_version: String,
    /// Hash of everything that the plans say.
    plan_hash: String,
    /// Hash of all else in the document.
    checksum: String,
    /// Where the state is: a bucket, or a folder, which is named from the folder that the plan was saved in.
    pub state: StatePlace,
    /// Whether all rows of the sources were read for it.
    pub scanned: bool,
    /// What the plans say, defaults filled in, names in place of patterns.
    plans: Vec<SavedFile>,
    /// What happens to each collection.
    pub changes: Vec<Change>,
    /// Clusters of Zilliz Cloud that the plans name, as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterChange>,
    /// Addresses that were left out by `--target` or `--exclude`.
    pub not_selected: Vec<String>,
    /// What both sides and the state looked like, in the order of the changes.
    pub pins: Vec<Pin>,
}

/// One plan file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SavedFile {
    /// The file, from the folder that the plan was saved in where it lies below.
    file: PathBuf,
    /// The plan's name.
    name: String,
    /// In the order of the file.
    migrations: Vec<SavedMigration>,
}

/// One migration of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SavedMigration {
    /// Its name.
    name: String,
    /// The cluster that is read.
    source: SavedEndpoint,
    /// The cluster that is written.
    target: SavedEndpoint,
    /// Database on the source.
    source_database: String,
    /// Database on the target.
    target_database: String,
    /// How hard the run may press on the clusters.
    limits: Limits,
    /// Who moves the rows.
    #[serde(default)]
    engine: Engine,
    /// Names in place of patterns.
    collections: Vec<SavedCollection>,
}

/// One collection of that.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SavedCollection {
    /// Its name on the source.
    source: String,
    /// Its name on the target.
    target: String,
    /// What it looks like on arrival and how it gets there.
    settings: Settings,
}

/// What a saved plan is made of.
pub struct Contents<'a> {
    /// Where the state is.
    pub state: StatePlace,
    /// Whether all rows of the sources were read.
    pub scanned: bool,
    /// The plans, with names in place of patterns.
    pub plans: &'a [ResolvedPlan],
    /// What happens.
    pub diff: Diff,
    /// What was seen.
    pub pins: Vec<Pin>,
}

impl SavedPlan {
    /// A saved plan.
    ///
    /// # Errors
    ///
    /// Where a plan holds a secret itself.
    pub fn new(contents: Contents<'_>) -> Result<Self, LiteralSecret> {
        let plans = contents.plans.iter().map(saved_file).collect::<Result<Vec<_>, _>>()?;
        let mut saved = Self {
            kind: KIND.to_owned(),
            format_version: FORMAT_VERSION.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            plan_hash: String::new(),
            checksum: String::new(),
            state: match contents.state {
                StatePlace::Folder(folder) => StatePlace::Folder(portable(&folder)),
                bucket @ StatePlace::Bucket { .. } => bucket,
            },
            scanned: contents.scanned,
            plans,
            changes: contents.diff.changes,
            clusters: contents.diff.clusters,
            not_selected: contents.diff.not_selected,
            pins: contents.pins,
        };
        saved.plan_hash = format!("{HASH_VERSION}:{}", sha::of(&serde_json::json!(saved.plans)));
        saved.checksum = checksum(serde_json::json!(saved));
        Ok(saved)
    }

    /// The document.
    pub fn text(&self) -> String {
        // Sorted keys within and a fixed order outside: the same plan has the same bytes.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Hash of all that it says.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }

    /// What happens to each collection.
    pub fn diff(&self) -> Diff {
        Diff { changes: self.changes.clone(), not_selected: self.not_selected.clone(), clusters: self.clusters.clone() }
    }

    /// The plans, to be looked at and carried out again. Messages about them point to `file`.
    pub fn plans(&self, file: &Path) -> Vec<ResolvedPlan> {
        let span = Span::new(&std::sync::Arc::new(SourceText::new(file.display().to_string(), "")), 0..0);
        self.plans.iter().map(|plan| resolved(plan, &span)).collect()
    }

    /// Whether this version of vecferry made it. Another one may decide otherwise about the same plan.
    pub fn refuse_other_tool(&self, file: &Path) -> Result<(), Box<Diagnostic>> {
        let here = env!("CARGO_PKG_VERSION");
        if self.tool_version == here {
            return Ok(());
        }
        let message = format!("it was saved by vecferry {}, and this is {here}", self.tool_version);
        Err(Box::new(unusable(file, message).help("use that version, or save the plan again with this one")))
    }
}

/// What `vecferry plan --out` wrote, if that file is one; none where it is something else, such as a plan file.
///
/// # Errors
///
/// Why the file cannot be used: it can't be read, belongs to a newer version, or was changed.
pub fn read(file: &Path) -> Result<Option<SavedPlan>, Box<Diagnostic>> {
    let about = |message: String| Box::new(unusable(file, message));
    // Whatever else is wrong with the file is told by whoever reads it as a plan.
    let Ok(length) = fs_err::metadata(file).map(|metadata| metadata.len()) else { return Ok(None) };
    if length > MOST_BYTES || !file.is_file() || !begins_as_object(file) {
        return Ok(None);
    }
    let bytes = fs_err::read(file).map_err(|error| about(error.to_string()))?;
    parse(file, &bytes)
}

/// What [`read`] does with the bytes of a file.
pub fn parse(file: &Path, bytes: &[u8]) -> Result<Option<SavedPlan>, Box<Diagnostic>> {
    let again = "save the plan again: `vecferry plan PLAN --out FILE`";
    let about = |message: String| Box::new(unusable(file, message).help(again));
    let document: Value = match serde_json::from_slice(bytes) {
        Ok(document) => document,
        // Half a saved plan is one that was cut off, and no plan in YAML.
        Err(error) if names_kind(bytes) => return Err(about(format!("it can't be read: {error}"))),
        Err(_) => return Ok(None),
    };
    if document.get("kind").and_then(Value::as_str) != Some(KIND) {
        return Ok(None);
    }
    let version = document.get("format_version").and_then(Value::as_str).unwrap_or_default().to_owned();
    if version.split('.').next() != FORMAT_VERSION.split('.').next() {
        let shown: String = version.chars().take(20).collect();
        return Err(about(format!("its format {shown:?} is not known; known is {FORMAT_VERSION}")));
    }
    let said = document.get("checksum").and_then(Value::as_str).unwrap_or_default().to_owned();
    if checksum(document) != said {
        return Err(about("it was changed after it was saved: what it says is not what was decided".to_owned()));
    }
    serde_json::from_slice(bytes).map(Some).map_err(|error| about(format!("it can't be read: {error}")))
}

/// A document with what guards it put right, as somebody would who knows how.
#[cfg(any(test, feature = "fuzzing"))]
pub fn sealed(mut document: Value) -> Vec<u8> {
    document["kind"] = KIND.into();
    document["format_version"] = FORMAT_VERSION.into();
    document["checksum"] = checksum(document.clone()).into();
    document.to_string().into_bytes()
}

/// What can be known beforehand of why plans could not be saved to a file: one of them holds a secret itself, or the file is
/// something else. Better told before two clusters are looked at than after.
pub fn refuse(plans: &[ResolvedPlan], file: &Path) -> Result<(), Box<Diagnostic>> {
    let migrations = plans.iter().flat_map(|plan| &plan.migrations);
    for endpoint in migrations.flat_map(|migration| [&migration.source, &migration.target]) {
        SavedEndpoint::of(endpoint).map_err(|literal| Box::new(literal.diagnostic()))?;
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let message = format!("{} can't be written: there is no folder {}", file.display(), folder.display());
        return Err(Box::new(
            Diagnostic::new(Code::PlanNotSaved, message).help("make the folder, or name another file"),
        ));
    }
    refuse_other_file(file)
}

fn refuse_other_file(file: &Path) -> Result<(), Box<Diagnostic>> {
    if !file.exists() || matches!(read(file), Ok(Some(_)) | Err(_)) {
        return Ok(());
    }
    let message = format!("{} exists and is no saved plan", file.display());
    Err(Box::new(Diagnostic::new(Code::PlanNotSaved, message).help("choose another name for `--out`")))
}

/// Writes a saved plan, for the owner's eyes only. Where something else has that name, it is left alone.
///
/// # Errors
///
/// Why it could not be written; the file is then as it was.
pub fn write(saved: &SavedPlan, file: &Path) -> Result<(), Box<Diagnostic>> {
    refuse_other_file(file)?;
    let put = || -> std::io::Result<()> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Its mode is 0600 from the beginning.
        let mut written = tempfile::Builder::new().prefix(".vecferry-plan-").tempfile_in(folder)?;
        written.write_all(saved.text().as_bytes())?;
        written.as_file().sync_all()?;
        written.persist(file).map_err(|error| error.error)?;
        Ok(())
    };
    put().map_err(|error| {
        let message = format!("{} can't be written: {error}", file.display());
        let help = "name a file in a folder that exists and can be written to";
        Box::new(Diagnostic::new(Code::PlanNotSaved, message).help(help))
    })
}

/// A path as another checkout of the same repository reaches it: from the current folder, where it lies below.
pub fn portable(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    let real = here.as_deref().and_then(|here| fs_err::canonicalize(here).ok());
    let below = |folder: Option<&Path>| folder.and_then(|folder| path.strip_prefix(folder).ok().map(Path::to_owned));
    below(here.as_deref()).or_else(|| below(real.as_deref())).unwrap_or_else(|| path.to_owned())
}

/// A plan file may be as large as people like; a saved plan begins with a brace.
fn begins_as_object(file: &Path) -> bool {
    use std::io::Read as _;
    let mut first = [0; 64];
    let read = fs_err::File::open(file).and_then(|mut file| file.read(&mut first)).unwrap_or_default();
    first[..read].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

fn names_kind(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(200)];
    String::from_utf8_lossy(start).contains(KIND)
}

fn unusable(file: &Path, message: impl Into<String>) -> Diagnostic {
    let source = std::sync::Arc::new(SourceText::new(file.display().to_string(), ""));
    Diagnostic::new(Code::SavedPlanUnusable, message).at(Span::new(&source, 0..0))
}

/// Hash of a document without its own checksum.
fn checksum(mut document: Value) -> String {
    if let Some(members) = document.as_object_mut() {
        members.remove("checksum");
    }
    sha::of(&document)
}

fn saved_file(plan: &ResolvedPlan) -> Result<SavedFile, LiteralSecret> {
    let migrations = plan.migrations.iter().map(saved_migration).collect::<Result<_, _>>()?;
    Ok(SavedFile { file: portable(&plan.file), name: plan.name.clone(), migrations })
}

fn saved_migration(migration: &Migration) -> Result<SavedMigration, LiteralSecret> {
    let collections = migration.selections.iter().filter_map(|selection| match &selection.select {
        Select::Name { source, target } => {
            let settings = selection.settings.clone();
            Some(SavedCollection { source: source.clone(), target: target.clone(), settings })
        }
        Select::Glob { .. } => None,
    });
    Ok(SavedMigration {
        name: migration.name.clone(),
        source: SavedEndpoint::of(&migration.source)?,
        target: SavedEndpoint::of(&migration.target)?,
        source_database: migration.source_database.clone(),
        target_database: migration.target_database.clone(),
        limits: migration.limits.clone(),
        engine: migration.engine,
        collections: collections.collect(),
    })
}

fn resolved(plan: &SavedFile, span: &Span) -> ResolvedPlan {
    let migration = |saved: &SavedMigration| Migration {
        name: saved.name.clone(),
        source: saved.source.endpoint(span),
        target: saved.target.endpoint(span),
        source_database: saved.source_database.clone(),
        target_database: saved.target_database.clone(),
        selections: saved
            .collections
            .iter()
            .map(|one| Selection {
                select: Select::Name { source: one.source.clone(), target: one.target.clone() },
                settings: one.settings.clone(),
                span: span.clone(),
            })
            .collect(),
        limits: saved.limits.clone(),
        engine: saved.engine,
    };
    ResolvedPlan {
        file: plan.file.clone(),
        name: plan.name.clone(),
        migrations: plan.migrations.iter().map(migration).collect(),
    }
}

#[cfg(test)]
mod tests;
