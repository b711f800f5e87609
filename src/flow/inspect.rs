//! From a live cluster to a plan: looks at collections, and drafts the entries that would move them as they are.
//!
//! Nothing is written, loaded or released. What the entries say is decided in [`entry`], and how many of them there are in
//! [`patterns`].

mod entry;
mod patterns;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use futures::{StreamExt, TryStreamExt};
use globset::{Glob, GlobSetBuilder};
use serde_json::{Map, Value, json};

use crate::cluster::{self, ClusterError, ErrorKind, ReadSide, WriteSide};
use crate::collection::{DYNAMIC_FIELD, Field, KeyRange, LiveCollection, LoadState, RowBatch};
use crate::plan::draft::{Draft, Part};
use crate::plan::named::Cluster;
use crate::run;

/// Collections that are looked at at once.
const AT_ONCE: usize = 8;
/// Rows whose dynamic field is looked into, for the names of its keys.
const SAMPLE: usize = 64;
/// Stands where nobody said where collections go. The name can never be that of a server (RFC 2606).
const PLACEHOLDER: &str = "http://fill-in-the-target.invalid:19530";

/// What to draft a plan of.
#[derive(Debug)]
pub struct Request {
    /// The cluster that is read.
    pub source: Cluster,
    /// Its database.
    pub database: String,
    /// The cluster that would be written, where somebody named one.
    pub target: Option<Cluster>,
    /// Its database.
    pub target_database: String,
    /// Collections by name; with no pattern either, all of them.
    pub collections: Vec<String>,
    /// Patterns of names.
    pub patterns: Vec<String>,
    /// Where editors look for the JSON Schema.
    pub schema: String,
    /// Whether it is there.
    pub schema_is_there: bool,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum InspectError {
    /// The source could not be talked to.
    Source(ClusterError),
    /// The target could not be talked to.
    Target(ClusterError),
    /// Something that was named is not there: what is wrong, and what to do.
    Absent(String, String),
}

/// What was seen of one collection.
struct Seen {
    live: LiveCollection,
    rows: u64,
    /// Whether the rows are those of the server's statistics.
    estimated: bool,
    /// Keys of the dynamic field in the first rows, each with a value.
    dynamic_keys: Map<String, Value>,
    /// What stands on the target under the name that the entry would give it.
    taken: Option<String>,
}

/// A drafted plan, and how much of it would do something.
#[derive(Debug)]
pub struct Inspected {
    /// The plan.
    pub draft: Draft,
    /// Collections that the plan moves.
    pub moved: usize,
    /// Collections that are written as comments, because they cannot be moved as they are.
    pub blocked: usize,
}

/// Looks at the collections that are meant, and drafts a plan that moves them.
pub async fn inspect(request: Request) -> Result<Inspected, InspectError> {
    let source = open(&request.source).await.map_err(InspectError::Source)?;
    let target = match &request.target {
        Some(cluster) => {
            let open = open(cluster).await.map_err(InspectError::Target)?;
            let there = open.databases().await.map_err(InspectError::Target)?;
            Some((open, there.is_none_or(|names| names.contains(&request.target_database))))
        }
        None => None,
    };
    let databases = source.databases().await.map_err(InspectError::Source)?;
    if let Some(names) = databases.filter(|names| !names.contains(&request.database)) {
        let message = format!("{} has no database `{}`", request.source.endpoint.uri, request.database);
        return Err(InspectError::Absent(message, format!("there are {}", names.join(", "))));
    }
    let all = source.collections(&request.database).await.map_err(InspectError::Source)?;
    let names = chosen(&request, all)?;
    let in_place = request.database == request.target_database
        && request.target.as_ref().is_some_and(|target| target.is_same(&request.source));
    let target_names = entry::target_names(&names, in_place);
    let to = target.as_ref().map(|(open, _)| open.capabilities());
    let drafts = names.iter().zip(&target_names).map(|(name, target_name)| {
        let (source, target) = (&*source, &target);
        let (database, target_database) = (request.database.as_str(), request.target_database.as_str());
        async move {
            let mut seen = match look(source, database, name).await {
                Ok(Some(seen)) => seen,
                // It was dropped since the names were listed.
                Ok(None) => return Ok(None),
                Err(error) if ends_the_command(&error) => return Err(InspectError::Source(error)),
                Err(error) => return Ok(Some(entry::unreadable(name, &error.to_string()))),
            };
            if let Some((open, true)) = target {
                let there = open.describe(target_database, target_name).await.map_err(InspectError::Target)?;
                seen.taken = there.map(|live| live.name);
            }
            Ok(Some(entry::draft(&seen, target_name, source.capabilities(), to)))
        }
    });
    let drafted: Vec<Option<entry::Drafted>> = futures::stream::iter(drafts).buffered(AT_ONCE).try_collect().await?;
    let drafted: Vec<entry::Drafted> = drafted.into_iter().flatten().collect();
    let blocked = drafted.iter().filter(|drafted| drafted.entry.off).count();
    let moved = drafted.len() - blocked;
    let pattern = match request.patterns.as_slice() {
        [] if request.collections.is_empty() => Some("*"),
        [one] if request.collections.is_empty() => Some(one.as_str()),
        _ => None,
    };
    let entries = patterns::entries(drafted, pattern.filter(|_| !in_place));
    let draft = Draft {
        about: about(&request, source.capabilities().server.as_str(), to.map(|to| to.server.as_str())),
        target: request.target.as_ref().map_or_else(placeholder, |cluster| cluster.parts.clone()),
        migration: migration(&request),
        source: request.source.parts,
        schema: request.schema,
        entries,
    };
    Ok(Inspected { draft, moved, blocked })
}

/// A connection that was used once, so that a refused login is told here and not in the middle.
async fn open(cluster: &Cluster) -> Result<Arc<dyn WriteSide>, ClusterError> {
    let open = cluster::connect(&cluster.endpoint).await?;
    open.databases().await?;
    Ok(open)
}

/// The names that are meant, in the order of the server.
fn chosen(request: &Request, all: Vec<String>) -> Result<Vec<String>, InspectError> {
    let absent = |message: String, help: String| Err(InspectError::Absent(message, help));
    let (place, database) = (&request.source.endpoint.uri, &request.database);
    let there = match all.iter().collect::<Vec<_>>().as_slice() {
        [] => "it holds none".to_owned(),
        names => format!("there are {}", some(names)),
    };
    if let Some(name) = request.collections.iter().find(|name| !all.contains(name)) {
        let mut near: Vec<&String> = all.iter().collect();
        near.sort_by_key(|other| strsim::damerau_levenshtein(other, name));
        let help = match near.as_slice() {
            [] => there,
            near => format!("the nearest are {}", some(near)),
        };
        return absent(format!("database `{database}` of {place} has no collection `{name}`"), help);
    }
    let mut globs = GlobSetBuilder::new();
    for pattern in &request.patterns {
        match Glob::new(pattern) {
            Ok(glob) => {
                globs.add(glob);
            }
            Err(error) => {
                let help = "use `*`, `?`, `[a-z]` and `{a,b}`".to_owned();
                return absent(format!("the pattern `{pattern}` can't be read: {}", error.kind()), help);
            }
        }
    }
    let globs = globs.build().unwrap_or_default();
    let everything = request.collections.is_empty() && request.patterns.is_empty();
    let meant = |name: &String| everything || request.collections.contains(name) || globs.is_match(name);
    let names: Vec<String> = all.into_iter().filter(meant).collect();
    if names.is_empty() {
        let message = match everything {
            true => format!("database `{database}` of {place} holds no collection"),
            false => format!("no collection of database `{database}` of {place} has such a name"),
        };
        let help = if everything { "name another one with `--database`".to_owned() } else { there };
        return absent(message, help);
    }
    Ok(names)
}

/// The first of some names.
fn some(names: &[&String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown}, …") } else { shown }
}

async fn look(read: &dyn ReadSide, database: &str, name: &str) -> Result<Option<Seen>, ClusterError> {
    let Some(live) = read.describe(database, name).await? else { return Ok(None) };
    let mut seen = Seen { rows: 0, estimated: true, dynamic_keys: Map::new(), taken: None, live };
    // Counting needs a collection that is loaded, and looking loads nothing.
    if seen.live.load_state != LoadState::Loaded {
        seen.rows = read.statistics(database, name).await?;
        return Ok(Some(seen));
    }
    let moment = read.moment(database, name).await?;
    let scan = run::scan(database, &seen.live, None, moment);
    // What reading has to say is only for the comments, so a collection that cannot be read is no reason to end.
    match read.count(&scan, &KeyRange::ALL).await {
        Ok(rows) => (seen.rows, seen.estimated) = (rows, false),
        Err(error) if ends_the_command(&error) => return Err(error),
        Err(_) => seen.rows = read.statistics(database, name).await?,
    }
    if seen.live.schema.dynamic_field && seen.rows > 0 {
        match read.read_next(&scan, &KeyRange::ALL, &[scan.key.clone(), Field::dynamic()], SAMPLE).await {
            Ok(rows) => seen.dynamic_keys = dynamic_keys(&rows),
            Err(error) if ends_the_command(&error) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(Some(seen))
}

/// Whether an error concerns the whole cluster and not one collection.
fn ends_the_command(error: &ClusterError) -> bool {
    matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Config) || error.is_transient()
}

/// The keys of the dynamic field in some rows, each with one of its values.
fn dynamic_keys(rows: &RowBatch) -> Map<String, Value> {
    let mut found = Map::new();
    let Some(column) = rows.column(DYNAMIC_FIELD).and_then(|column| column.as_binary_opt::<i32>()) else {
        return found;
    };
    for row in column.iter().flatten() {
        if let Ok(Value::Object(keys)) = serde_json::from_slice(row) {
            keys.into_iter().for_each(|(key, value)| {
                found.entry(key).or_insert(value);
            });
        }
    }
    found
}

/// What the whole plan is about.
fn about(request: &Request, from: &str, to: Option<&str>) -> Vec<String> {
    let (uri, database) = (&request.source.endpoint.uri, &request.database);
    let mut about =
        vec![format!("The collections of {uri} ({from}), database `{database}`, as vecferry inspect found them.")];
    if let Some((target, to)) = request.target.as_ref().zip(to) {
        about.push(format!("What they become was checked against {} ({to}).", target.endpoint.uri));
    }
    if !request.schema_is_there {
        about.push(
            "`vecferry init` puts the JSON Schema where the first line looks for it; `vecferry schema` prints it."
                .to_owned(),
        );
    }
    about.extend([
        "What is not said stays as the source has it. Keys in comments are proposals: take the comment sign away to use one.".to_owned(),
        "`indexes: copy` is said where the source has other indexes than those of the default, which is AUTOINDEX on vector fields. `load: true` leaves a target ready for queries, and is proposed where the source is loaded.".to_owned(),
        "Keys that stand twice were not looked for: `vecferry plan` does, and `vecferry plan --scan` reads every row.".to_owned(),
    ]);
    about
}

/// A target that is valid, and that nothing can be written to by mistake.
fn placeholder() -> Vec<Part> {
    let uri = Part::new("uri", PLACEHOLDER)
        .comment("Fill in where the collections go; `vecferry inspect --to-uri` checks what that server can hold.");
    let token = Part::new("token", json!({"env": "NEW_TOKEN"})).proposed();
    vec![Part::of_parts("milvus", vec![uri, token])]
}

fn migration(request: &Request) -> Vec<Part> {
    let (from, to) = (&request.database, &request.target_database);
    // A profile has a database of its own, so there it is always said.
    let by_profile =
        [Some(&request.source), request.target.as_ref()].into_iter().flatten().any(|one| one.database.is_some());
    match (from == to, from == "default" && !by_profile) {
        (true, true) => Vec::new(),
        (true, false) => vec![Part::new("database", from.as_str())],
        (false, _) => vec![Part::new("database", json!({"from": from, "to": to}))],
    }
}
