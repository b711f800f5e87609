//! YAML text to a tree with byte positions. Hostile text ends in a message, soon: budgets bound the nesting, the number
//! of values and what aliases may multiply.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::options::{AliasLimits, DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{DefaultMessageFormatter, Error, Location, MessageFormatter as _, Options, Spanned};

use super::explain::short;
use super::secrets::{self, is_secret_key};
use super::tree::{Entry, Kind, Node};
use crate::diagnostic::Code;

/// Why a text could not be read, or not all of it.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// Byte range in the text.
    pub(crate) range: Range<usize>,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>, range: Range<usize>) -> Self {
        Self { code, message: message.into(), help: None, range }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Nesting that no plan comes near: migrations, collections, limits and references are seven levels.
const MAX_DEPTH: usize = 32;

/// Values in one file. A collection entry is about ten, so this is some twenty thousand collections.
const MAX_VALUES: usize = 200_000;

/// Reads one YAML document. The tree has unique keys; of a key given twice the first is kept and the others reported.
pub(crate) fn parse(text: &str) -> Result<(Node, Vec<Problem>), Problem> {
    if let Some((at, found)) =
        text.char_indices().find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}'))
    {
        return Err(Problem::new(
            Code::ControlCharacter,
            format!("a control character (U+{:04X}) is not allowed in YAML", found as u32),
            at..at + found.len_utf8(),
        )
        .help("remove it; inside double quotes it can be written as an escape, such as \"\\u0007\""));
    }
    let body = text.trim_start_matches('\u{feff}');
    let offset = text.len() - body.len();
    if body.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---" || line == "..."
    }) {
        return Err(empty());
    }
    let raw: Spanned<Raw> =
        serde_saphyr::from_str_with_options(body, options()).map_err(|error| problem(&error, text, offset))?;
    let mut problems = Vec::new();
    let mut root = node(raw, offset, false, &mut problems);
    if matches!(root.kind, Kind::Scalar(Value::Null)) {
        return Err(empty());
    }
    clamp(&mut root, text);
    Ok((root, problems))
}

fn empty() -> Problem {
    Problem::new(Code::EmptyFile, "the file holds no plan", 0..0)
        .help("`vecferry inspect` writes one from a live cluster, and `vecferry init` makes an example")
}

fn options() -> Options {
    let mut aliases = AliasLimits::default();
    aliases.max_total_replayed_events = MAX_VALUES;
    aliases.max_replay_stack_depth = 8;
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH + 1,
            max_nodes: MAX_VALUES,
            max_events: 4 * MAX_VALUES,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_merge_keys: 1_000,
            max_documents: 2,
        },
        // Forwarded to the visitor, so that all of them are reported and not only the first.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Merge,
        alias_limits: aliases,
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        leading_zero_numbers_as_strings: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    }
}

/// What the YAML reader hands over, still with the reader's own places.
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::from(value)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        Number::from_f64(value)
            .map(|number| Raw::Scalar(Value::Number(number)))
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::String(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value()?;
            if map.len() >= MAX_VALUES {
                return Err(A::Error::custom("too many keys"));
            }
            map.push((key, value));
        }
        Ok(Raw::Map(map))
    }
}

fn node(raw: Spanned<Raw>, offset: usize, secret: bool, problems: &mut Vec<Problem>) -> Node {
    let own = range(&raw.defined, offset);
    match raw.value {
        Raw::Scalar(value) => Node::new(own, Kind::Scalar(value)),
        Raw::List(items) => {
            let items: Vec<Node> = items.into_iter().map(|item| node(item, offset, secret, problems)).collect();
            let end = items.iter().map(|item| item.range.end).max();
            Node::new(own.start..end.unwrap_or(own.end).max(own.start), Kind::List(items))
        }
        Raw::Map(pairs) => {
            let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
            let mut seen: HashMap<String, usize> = HashMap::with_capacity(pairs.len());
            let mut end = own.end;
            for (key, value) in pairs {
                let key_range = range(&key.defined, offset);
                let node = node(value, offset, secret || is_secret_key(&key.value), problems);
                end = end.max(node.range.end).max(key_range.end);
                if seen.insert(key.value.clone(), entries.len()).is_some() {
                    problems.push(
                        Problem::new(
                            Code::DuplicateKey,
                            if secret {
                                "a key is given twice".to_owned()
                            } else {
                                format!("the key `{}` is given twice", short(&key.value))
                            },
                            key_range,
                        )
                        .help("remove one of the two"),
                    );
                    continue;
                }
                entries.push(Entry { key: key.value, key_range, node });
            }
            Node::new(own.start..end.max(own.start), Kind::Map(entries))
        }
    }
}

/// Moves every range into the text and onto character boundaries, whatever the reader said.
fn clamp(node: &mut Node, text: &str) {
    clamp_range(&mut node.range, text);
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(|item| clamp(item, text)),
        Kind::Map(entries) => {
            for entry in entries {
                clamp_range(&mut entry.key_range, text);
                clamp(&mut entry.node, text);
            }
        }
    }
}

fn clamp_range(range: &mut Range<usize>, text: &str) {
    let floor = |at: usize| {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    range.start = floor(range.start);
    range.end = floor(range.end).max(range.start);
    // An empty list or mapping is both of its brackets.
    if let open @ ("[" | "{") = &text[range.clone()] {
        let close = if open == "[" { ']' } else { '}' };
        let rest = text[range.end..].trim_start();
        if rest.starts_with(close) {
            range.end = text.len() - rest.len() + 1;
        }
    }
    // A plain scalar's range may take the blanks and line break after it along.
    let kept = text[range.clone()].trim_end().len();
    range.end = range.start + kept;
}

fn range(location: &Location, offset: usize) -> Range<usize> {
    let span = location.span();
    let start = span.byte_offset().unwrap_or(0) as usize + offset;
    let length = span.byte_len().unwrap_or(0) as usize;
    start..start + length
}

fn problem(error: &Error, text: &str, offset: usize) -> Problem {
    let error = match error.without_snippet() {
        Error::AliasError { error, .. } => error.as_ref(),
        error => error,
    };
    let mut place = error.location().map_or(0..0, |location| error_range(&location, text, offset));
    clamp_range(&mut place, text);
    match error {
        Error::Eof { .. } => empty(),
        Error::MultipleDocuments { .. } => {
            Problem::new(Code::SeveralDocuments, "a second YAML document starts here", place)
                .help("keep one plan in a file; it may hold several migrations")
        }
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => too_complex(place),
        Error::NonFiniteFloat { .. } => {
            Problem::new(Code::WrongType, "infinity and not-a-number are no values of a plan", place)
                .help("put quotes around it where a text is meant")
        }
        Error::UnknownAnchor { .. } => {
            Problem::new(Code::YamlSyntax, "the alias refers to an anchor that is not defined before it", place)
                .help("a text that starts with `*` must be in quotes, such as match: \"*_logs\"")
        }
        other => {
            let message = plain(&DefaultMessageFormatter.format_message(other));
            if message.contains("nest") || message.contains("recursion") {
                return too_complex(place);
            }
            let secret = secrets::in_text(text).iter().any(|mask| mask.start <= place.start && place.start < mask.end);
            if secret {
                // The reader's words may repeat what it could not read.
                return Problem::new(Code::YamlSyntax, "the value can't be read", place).help("put quotes around it");
            }
            translate(text, &place, &message).unwrap_or_else(|| Problem::new(Code::YamlSyntax, message, place))
        }
    }
}

fn too_complex(place: Range<usize>) -> Problem {
    Problem::new(Code::TooComplex, "the file nests or multiplies itself more than any plan needs", place)
        .help("write the values out instead of using anchors inside anchors")
}

/// Where the reader gave up. Of what its scanner refuses it knows the place in characters only.
fn error_range(location: &Location, text: &str, offset: usize) -> Range<usize> {
    let span = location.span();
    if span.byte_offset().is_some() {
        return range(location, offset);
    }
    let start = text[offset..].char_indices().nth(span.offset() as usize).map_or(text.len(), |(at, _)| offset + at);
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    start..start + length
}

/// The first line of the reader's message; the rest is advice about its interface.
fn plain(message: &str) -> String {
    let line = message.lines().next().unwrap_or("not valid YAML").trim();
    let line = line.trim_end_matches([' ', ':', ',', '.', '(']);
    if line.is_empty() { "not valid YAML".to_owned() } else { line.to_owned() }
}

/// The mistakes that people make most, in words about the plan and not about the reader's inner life.
fn translate(text: &str, place: &Range<usize>, message: &str) -> Option<Problem> {
    let syntax = |message: &str, range: Range<usize>, help: &str| {
        Some(Problem::new(Code::YamlSyntax, message, range).help(help))
    };
    if message.contains("tab") {
        let at = text[place.start..].find('\t').map(|at| place.start + at)?;
        return syntax("a tab, where YAML allows only spaces", at..at + 1, "indent with spaces");
    }
    if message.contains("quoted scalar") || message.contains("quotation") {
        let range = open_quote(&text[..place.start]).unwrap_or_else(|| place.clone());
        return syntax(
            "the quote that is opened here is not closed as it should be",
            range,
            "close the quote; where the text goes on in the next line, indent that line",
        );
    }
    if message.contains("mapping values are not allowed") {
        return syntax(
            "a `:` where no value can start",
            place.clone(),
            "put text that holds `: ` in quotes; otherwise check the indentation of this line",
        );
    }
    if message.contains("block collection") || message.contains("block mapping") {
        return syntax(
            "this line does not belong to what is above it",
            place.clone(),
            "indent it exactly as the lines that it goes with",
        );
    }
    if message.contains("tag") {
        // Without its name: `password: !s3cret` is a tag too.
        return syntax(
            "a tag, which has no meaning in a plan",
            place.clone(),
            "put quotes around a text that starts with `!`",
        );
    }
    None
}

/// The quote that was opened last in a line without being closed there.
fn open_quote(text: &str) -> Option<Range<usize>> {
    const LINES: usize = 200;
    let mut end = text.len();
    for _ in 0..LINES {
        let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
        let line = &text[start..end];
        for quote in ['"', '\''] {
            if line.matches(quote).count() % 2 == 1 {
                return line.rfind(quote).map(|at| start + at..start + at + 1);
            }
        }
        end = start.checked_sub(1)?;
    }
    None
}
