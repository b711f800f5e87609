//! Rules across entries, migrations and files: no collection is written twice, and none is written over itself. What a
//! pattern selects is known only from a live cluster; here is what is certain without one.

use std::collections::HashMap;

use globset::{Glob, GlobMatcher};

use super::address::address;
use super::connection::Address;
use super::explain::{MAX_FINDINGS, short};
use super::resolve::Resolved;
use super::resolved::{Endpoint, Migration, Select};
use super::tree::{Document, Path, child};
use crate::diagnostic::{Code, Diagnostic, Span};

/// A database of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    cluster: String,
    database: String,
}

/// One entry that writes by name.
struct Named<'a> {
    document: &'a Document,
    at: Path,
    from: Place,
    to: Place,
    source: &'a str,
    target: &'a str,
    aliases: &'a [String],
}

/// One entry that writes by pattern.
struct Matching<'a> {
    document: &'a Document,
    at: Path,
    from: Place,
    to: Place,
    pattern: &'a str,
    matcher: GlobMatcher,
    exclude: Vec<GlobMatcher>,
}

/// Pairs of a name and a pattern that are compared. Beyond this, which no plan of people reaches, the comparison is left
/// to the diff against the live clusters, which makes it anyway.
const MAX_PAIRS: usize = 2_000_000;

/// Applies the rules to all plans together.
pub(crate) fn check(plans: &[(&Document, &Resolved)]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut named = Vec::new();
    let mut matching = Vec::new();
    for (document, resolved) in plans {
        for (migration, place) in resolved.plan.migrations.iter().zip(&resolved.places) {
            collect(document, migration, place, &mut named, &mut matching);
        }
    }
    check_self(&named, &matching, &mut diagnostics);
    check_twice(&named, &mut diagnostics);
    check_patterns(&named, &matching, &mut diagnostics);
    check_aliases(&named, &mut diagnostics);
    check_plan_names(plans, &mut diagnostics);
    diagnostics
}

fn collect<'a>(
    document: &'a Document,
    migration: &'a Migration,
    place: &Path,
    named: &mut Vec<Named<'a>>,
    matching: &mut Vec<Matching<'a>>,
) {
    let side = |endpoint: &Endpoint, database: &String| {
        let cluster = match &endpoint.cloud {
            Some(cloud) => Some(cloud.placeholder()),
            None => Address::parse(&endpoint.uri).ok().map(|address| address.identity()),
        };
        cluster.map(|cluster| Place { cluster, database: database.clone() })
    };
    let (Some(from), Some(to)) =
        (side(&migration.source, &migration.source_database), side(&migration.target, &migration.target_database))
    else {
        return;
    };
    for (index, selection) in migration.selections.iter().enumerate() {
        let at = child(&child(place, "collections"), index);
        let (from, to) = (from.clone(), to.clone());
        match &selection.select {
            Select::Name { source, target } => {
                let aliases = &selection.settings.aliases;
                named.push(Named { document, at, from, to, source, target, aliases });
            }
            Select::Glob { pattern, exclude } => {
                let Ok(glob) = Glob::new(pattern) else {
                    continue;
                };
                matching.push(Matching {
                    document,
                    at,
                    from,
                    to,
                    pattern,
                    matcher: glob.compile_matcher(),
                    exclude: exclude
                        .iter()
                        .filter_map(|pattern| Glob::new(pattern).ok())
                        .map(|glob| glob.compile_matcher())
                        .collect(),
                });
            }
        }
    }
}

impl Named<'_> {
    /// Where the target's name stands: under `target`, or under `source` where that is both.
    fn span(&self) -> Span {
        let target = child(&self.at, "target");
        if self.document.root.find(&target).is_some() {
            self.document.span(&target)
        } else {
            self.document.span(&child(&self.at, "source"))
        }
    }

    /// Where one of the aliases stands.
    fn alias_span(&self, alias: &str) -> Span {
        let at = child(&self.at, "aliases");
        let items = (0..).map(|index| child(&at, index)).take_while(|at| self.document.root.find(at).is_some());
        let place = { items }.find(|at| self.document.root.text(at) == Some(alias));
        self.document.span(place.as_ref().unwrap_or(&at))
    }
}

fn finding(code: Code, document: &Document, at: &Path, span: Span, message: String) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(code, message).at(span);
    diagnostic.address = address(&document.root, at);
    diagnostic
}

/// "line 12", with the file where it is another one.
fn where_is(other: &Span, seen_from: &Document) -> String {
    let line = other.start().line;
    if std::sync::Arc::ptr_eq(&other.source, &seen_from.source) {
        format!("line {line}")
    } else {
        format!("line {line} of {}", other.source.name)
    }
}

fn check_self(named: &[Named<'_>], matching: &[Matching<'_>], found: &mut Vec<Diagnostic>) {
    for entry in named {
        if entry.from == entry.to && entry.source == entry.target && !entry.source.trim().is_empty() {
            let message = format!("`{}` would be copied onto itself", short(entry.source));
            found.push(
                finding(Code::SelfTarget, entry.document, &entry.at, entry.span(), message)
                    .help("give it another `target`, database or cluster"),
            );
        }
    }
    for entry in matching {
        if entry.from == entry.to {
            let span = entry.document.span(&child(&entry.at, "match"));
            let message = "what the pattern selects would be copied onto itself".to_owned();
            found.push(
                finding(Code::SelfTarget, entry.document, &entry.at, span, message)
                    .help("give the target another database or cluster"),
            );
        }
    }
}

fn check_twice(named: &[Named<'_>], found: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<(&Place, &str), &Named<'_>> = HashMap::new();
    for entry in named {
        if entry.target.trim().is_empty() || found.len() > MAX_FINDINGS {
            continue;
        }
        let Some(first) = seen.get(&(&entry.to, entry.target)) else {
            seen.insert((&entry.to, entry.target), entry);
            continue;
        };
        let message =
            format!("`{}` is already the target of {}", short(entry.target), where_is(&first.span(), entry.document));
        found.push(
            finding(Code::TargetTwice, entry.document, &entry.at, entry.span(), message)
                .help("give one of the two another `target`"),
        );
    }
}

fn check_patterns(named: &[Named<'_>], matching: &[Matching<'_>], found: &mut Vec<Diagnostic>) {
    if named.len().saturating_mul(matching.len()) <= MAX_PAIRS {
        for pattern in matching {
            if found.len() > MAX_FINDINGS {
                return;
            }
            for entry in named {
                let same = entry.from == pattern.from
                    && entry.to == pattern.to
                    && entry.source == entry.target
                    && pattern.matcher.is_match(entry.source)
                    && !pattern.exclude.iter().any(|glob| glob.is_match(entry.source));
                if !same {
                    continue;
                }
                let span = pattern.document.span(&child(&pattern.at, "match"));
                let name = short(entry.source);
                let message = format!(
                    "`{}` selects `{name}` too, which is already the target of {}",
                    short(pattern.pattern),
                    where_is(&entry.span(), pattern.document)
                );
                found.push(
                    finding(Code::TargetTwice, pattern.document, &pattern.at, span, message)
                        .help(format!("add `exclude: [{name}]` to the pattern, or remove the other entry")),
                );
            }
        }
    }
    let mut seen: HashMap<(&Place, &Place, &str), &Matching<'_>> = HashMap::new();
    for entry in matching {
        let Some(first) = seen.get(&(&entry.from, &entry.to, entry.pattern)) else {
            seen.insert((&entry.from, &entry.to, entry.pattern), entry);
            continue;
        };
        let span = entry.document.span(&child(&entry.at, "match"));
        let other = first.document.span(&child(&first.at, "match"));
        let message = format!(
            "`{}` already selects for the same target in {}",
            short(entry.pattern),
            where_is(&other, entry.document)
        );
        found.push(finding(Code::MatchTwice, entry.document, &entry.at, span, message).help("remove one of the two"));
    }
}

/// An alias is a name in its database like any other. Those that an entry gives twice, or gives to a target of that very
/// name, are for the rules of that entry.
fn check_aliases(named: &[Named<'_>], found: &mut Vec<Diagnostic>) {
    let mut collections: HashMap<(&Place, &str), (&Named<'_>, &str)> = HashMap::new();
    for entry in named {
        collections.entry((&entry.to, entry.target)).or_insert((entry, "target"));
        collections.entry((&entry.from, entry.source)).or_insert((entry, "source"));
    }
    let mut seen: HashMap<(&Place, &str), &Named<'_>> = HashMap::new();
    for entry in named {
        for alias in entry.aliases.iter().filter(|alias| !alias.trim().is_empty()) {
            if found.len() > MAX_FINDINGS {
                return;
            }
            if alias == entry.target {
                continue;
            }
            let message = if let Some((other, role)) = collections.get(&(&entry.to, alias)) {
                format!(
                    "`{}` is the name of a collection there, the {role} in {}",
                    short(alias),
                    where_is(&other.document.span(&child(&other.at, *role)), entry.document)
                )
            } else if let Some(first) = seen.get(&(&entry.to, alias.as_str())) {
                let first = where_is(&first.alias_span(alias), entry.document);
                format!("`{}` is already an alias of another target, in {first}", short(alias))
            } else {
                seen.insert((&entry.to, alias), entry);
                continue;
            };
            let span = entry.alias_span(alias);
            found.push(
                finding(Code::AliasTwice, entry.document, &entry.at, span, message)
                    .help("choose another alias, or remove it"),
            );
        }
    }
}

fn check_plan_names(plans: &[(&Document, &Resolved)], found: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<&str, &Document> = HashMap::new();
    for (document, resolved) in plans {
        let name = resolved.plan.name.as_str();
        let Some(first) = seen.get(name) else {
            seen.insert(name, document);
            continue;
        };
        let span = document.span(&super::tree::steps!["name"]);
        let message = format!("`{}` is the name of {} too", short(name), first.source.name);
        found.push(
            finding(Code::PlanNameTwice, document, &Path::new(), span, message).help("give each plan its own `name`"),
        );
    }
}
