//! Which bytes of a file are secret, so that no message shows them. It errs on the side of hiding too much.

use std::ops::Range;

use super::suggest::did_you_mean;
use super::tree::{Kind, Node};

/// Keys whose values are references to secrets.
const REFERENCES: [&str; 3] = ["env", "file", "command"];

/// Words that make a key secret wherever they stand in it.
const SECRET_WORDS: [&str; 7] = ["token", "password", "passwd", "passphrase", "secret", "apikey", "credential"];

/// Whether a key's value is to be hidden: the secret keys themselves and what looks like a slip of one.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if plain == "pass" || plain == "auth" || SECRET_WORDS.iter().any(|word| plain.contains(word)) {
        return true;
    }
    plain.len() >= 4 && ["token", "password", "apikey"].iter().any(|word| strsim::osa_distance(word, &plain) <= 2)
}

/// Keys under which stand names of fields, functions and partitions, or of an analyzer's parts. A field named `token_count`
/// is no secret.
const NAMES: [&str; 5] = ["fields", "indexes", "functions", "rename", "analyzer_params"];

/// The part of a plan that holds [`NAMES`]; elsewhere such a key is a slip, and who knows of what.
const ENTRIES: &str = "collections";

/// Whether one of the keys that lead to a value makes it secret.
pub(crate) fn is_secret_path<'a>(keys: impl Iterator<Item = &'a str>) -> bool {
    let mut place = Place::Elsewhere;
    keys.into_iter().any(|key| {
        let secret = place != Place::Names && is_secret_key(key);
        place = place.below(key);
        secret
    })
}

/// Where a mapping stands, as far as it matters for what its keys mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Elsewhere,
    Entries,
    Names,
}

impl Place {
    /// The place of what stands under a key.
    fn below(self, key: &str) -> Self {
        match self {
            Self::Elsewhere if key == ENTRIES => Self::Entries,
            Self::Entries if NAMES.contains(&key) => Self::Names,
            Self::Names => Self::Entries,
            same => same,
        }
    }
}

/// Secret bytes of a text that was read.
pub(crate) fn in_tree(text: &str, root: &Node) -> Vec<Range<usize>> {
    let mut found = user_infos(text);
    walk(root, false, Place::Elsewhere, &mut found);
    for (start, line) in lines(text) {
        let indent = line.len() - line.trim_start().len();
        if line[indent..].starts_with('#') {
            secret_value(start, line, &mut found);
        }
    }
    found
}

/// Secret bytes of a text that could not be read, found by the looks of its lines.
pub(crate) fn in_text(text: &str) -> Vec<Range<usize>> {
    let mut found = user_infos(text);
    // The indentation of a secret key whose value may go on in the lines below.
    let mut open: Option<usize> = None;
    for (start, line) in lines(text) {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        if let Some(outer) = open {
            if body.is_empty() {
                continue;
            }
            if indent > outer {
                let reference =
                    REFERENCES.iter().any(|key| body.trim_start_matches("- ").starts_with(&format!("{key}:")));
                if !reference {
                    found.push(start + indent..start + line.len());
                }
                continue;
            }
            open = None;
        }
        if secret_value(start, line, &mut found) {
            open = Some(indent);
        }
    }
    found
}

/// Hides what follows a secret key in a line, and says whether there was one.
fn secret_value(start: usize, line: &str, found: &mut Vec<Range<usize>>) -> bool {
    for (at, _) in line.match_indices([':', '=']) {
        let key = line[..at].trim_end().trim_end_matches(['"', '\'']);
        let from = key
            .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
            .map_or(0, |before| before + key[before..].chars().next().map_or(1, char::len_utf8));
        if !is_secret_key(&key[from..]) {
            continue;
        }
        let value = line[at + 1..].trim_start();
        let reference = value.trim_start_matches('{').trim_start();
        let is_reference = value.starts_with('{')
            && REFERENCES
                .iter()
                .any(|key| reference.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with([':', '='])));
        if !is_reference {
            if !value.is_empty() {
                found.push(start + line.len() - value.len()..start + line.len());
            }
            return true;
        }
    }
    false
}

/// Text between `://` and `@`: credentials in an address.
fn user_infos(text: &str) -> Vec<Range<usize>> {
    text.match_indices("://")
        .filter_map(|(at, marks)| {
            let start = at + marks.len();
            let rest = &text[start..];
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(rest.len());
            rest[..end].rfind('@').map(|end| start..start + end)
        })
        .collect()
}

fn walk(node: &Node, secret: bool, place: Place, found: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Scalar(value) => {
            if secret && !value.is_null() {
                found.push(node.range.clone());
            }
        }
        Kind::List(items) => items.iter().for_each(|item| walk(item, secret, place, found)),
        Kind::Map(entries) => {
            for entry in entries {
                let reference = secret && REFERENCES.contains(&entry.key.as_str());
                let hidden = if reference {
                    // What is no name of a variable may be the secret itself, put in the wrong place.
                    entry.key == "env"
                        && !matches!(&entry.node.kind, Kind::Scalar(value) if value.as_str().is_some_and(is_variable))
                } else {
                    secret || (place != Place::Names && is_secret_key(&entry.key))
                };
                // `{s3cret}` is a mapping with the secret as its key.
                if secret && !is_reference_like(&entry.key) {
                    found.push(entry.key_range.clone());
                }
                walk(&entry.node, hidden, place.below(&entry.key), found);
            }
        }
    }
}

/// Whether a key under a secret one is a reference or a slip of one, so that it may be shown.
pub(crate) fn is_reference_like(key: &str) -> bool {
    did_you_mean(key, &REFERENCES.map(str::to_owned)).is_some() || REFERENCES.contains(&key)
}

/// Whether a text can be the name of an environment variable.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let at = start;
        start += line.len();
        (at, line.trim_end_matches(['\n', '\r']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        let mut shown = text.to_owned();
        let mut ranges = in_text(text);
        ranges.sort_by_key(|range| range.start);
        for range in ranges.into_iter().rev() {
            shown.replace_range(range, "***");
        }
        shown
    }

    #[test]
    fn values_of_secret_keys_are_hidden_and_references_are_not() {
        assert_eq!(hidden("a: 1\ntoken: root:Sup3rS3cret\nb: 2"), "a: 1\ntoken: ***\nb: 2");
        assert_eq!(hidden("token: {env: OLD}"), "token: {env: OLD}");
        assert_eq!(hidden("token:\n  env: OLD\nb: 2"), "token:\n  env: OLD\nb: 2");
        assert_eq!(hidden("password: |\n  s3cret\nb: 2"), "password: ***\n  ***\nb: 2");
        assert_eq!(hidden("{uri: x, \"tokne\": abc}"), "{uri: x, \"tokne\": ***");
        assert_eq!(hidden("api_key = \"abc\""), "api_key = ***");
    }

    #[test]
    fn credentials_in_addresses_are_hidden() {
        assert_eq!(hidden("uri: http://root:Mil/vus@host:19530 # x"), "uri: http://***@host:19530 # x");
    }

    #[test]
    fn names_of_fields_are_not_secret() {
        let is_secret = |path: &str| is_secret_path(path.split('.'));
        assert!(!is_secret("migrations.collections.fields.token_count.default"));
        assert!(!is_secret("migrations.collections.fields.text.analyzer_params.tokenizer"));
        assert!(!is_secret("migrations.collections.functions.open.type"));
        assert!(is_secret("migrations.collections.functions.embed.params.credential"));
        assert!(is_secret("sources.old.milvus.fields.token"));
        assert!(is_secret("migrations.collections.token"));
    }

    #[test]
    fn ordinary_keys_are_not_secret() {
        for key in ["uri", "name", "target", "load", "database", "tls", "from", "to", "drop"] {
            assert!(!is_secret_key(key), "{key}");
        }
        for key in
            ["primary_key", "fields", "keep", "keep_as", "value", "type", "default", "scale", "on_null", "on_misfit"]
        {
            assert!(!is_secret_key(key), "{key}");
        }
        for key in ["partitions", "only", "rename", "params", "name", "aliases", "consistency", "properties", "tier"] {
            assert!(!is_secret_key(key), "{key}");
        }
        for key in ["token", "tokne", "pasword", "API-KEY", "client_secret", "passwrd"] {
            assert!(is_secret_key(key), "{key}");
        }
    }
}
