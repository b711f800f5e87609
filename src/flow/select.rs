//! Which collections of the plans a command is about: `--target` and `--exclude`, by address.

use globset::{Glob, GlobMatcher};

use crate::plan::resolved::{Migration, Select};

/// Which collections a command is about.
#[derive(Debug, Clone, Default)]
pub enum Selecting {
    /// All that the plans name.
    #[default]
    All,
    /// Only those.
    Only(Vec<Pattern>),
    /// All but those.
    Without(Vec<Pattern>),
}

/// An address, the beginning of addresses up to one of their dots, or a pattern of addresses.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As the user wrote it.
    pub text: String,
    /// None for a text without wildcards: names may hold other characters that patterns give a meaning to.
    glob: Option<GlobMatcher>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Why the text is no pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("an address is `migration.database.collection`, or the beginning of one".to_owned());
        }
        let glob = match text.contains(['*', '?']) {
            true => Some(Glob::new(text).map_err(|error| error.kind().to_string())?.compile_matcher()),
            false => None,
        };
        Ok(Self { text: text.to_owned(), glob })
    }

    fn takes(&self, address: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(address),
            None => address.strip_prefix(&self.text).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        }
    }

    /// Whether it may take an address that begins so.
    fn may_take(&self, beginning: &str) -> bool {
        self.glob.is_some() || beginning.starts_with(&self.text) || self.text.starts_with(beginning)
    }
}

impl Selecting {
    /// Whether it takes an address.
    pub fn takes(&self, address: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern.takes(address)),
            Self::Without(patterns) => !patterns.iter().any(|pattern| pattern.takes(address)),
        }
    }

    /// Whether it may take something of a migration: if not, its clusters need not even be there.
    pub fn may_take(&self, migration: &Migration) -> bool {
        let beginning = format!("{}.{}.", migration.name, migration.target_database);
        match self {
            Self::All => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern.may_take(&beginning)),
            Self::Without(patterns) => !patterns.iter().any(|pattern| {
                pattern.glob.is_none()
                    && beginning.starts_with(&pattern.text)
                    && pattern.takes(beginning.trim_end_matches('.'))
            }),
        }
    }

    /// Patterns that take none of the addresses, and so mean something else than their writer thought.
    pub fn idle<'a>(&'a self, addresses: &[String]) -> Vec<&'a str> {
        let patterns = match self {
            Self::All => return Vec::new(),
            Self::Only(patterns) | Self::Without(patterns) => patterns,
        };
        let idle = patterns.iter().filter(|pattern| !addresses.iter().any(|address| pattern.takes(address)));
        idle.map(|pattern| pattern.text.as_str()).collect()
    }
}

/// What a migration would take, as far as the plan alone says it; for a pattern, the pattern.
pub fn as_planned(migration: &Migration) -> Vec<String> {
    let beginning = format!("{}.{}", migration.name, migration.target_database);
    let name = |select: &Select| match select {
        Select::Name { target, .. } => format!("{beginning}.{target}"),
        Select::Glob { pattern, .. } => format!("{beginning}.{pattern}"),
    };
    migration.selections.iter().map(|selection| name(&selection.select)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(pattern: &str, address: &str) -> bool {
        Pattern::parse(pattern).unwrap().takes(address)
    }

    #[test]
    fn an_address_is_meant_whole_or_by_its_beginning() {
        assert!(takes("kb.main.articles", "kb.main.articles"));
        assert!(takes("kb.main", "kb.main.articles"));
        assert!(takes("kb", "kb.main.articles"));
        assert!(!takes("kb.main.art", "kb.main.articles"));
        assert!(!takes("main.articles", "kb.main.articles"));
        assert!(!takes("KB", "kb.main.articles"));
    }

    #[test]
    fn wildcards_reach_over_dots() {
        assert!(takes("*.articles", "kb.main.articles"));
        assert!(takes("kb.*.logs_202?", "kb.main.logs_2024"));
        assert!(!takes("*.articles", "kb.main.articles_v2"));
    }

    #[test]
    fn characters_of_names_are_no_wildcards() {
        assert!(takes("kb.main.[a]{b}", "kb.main.[a]{b}"));
        assert!(Pattern::parse(" ").is_err());
        assert!(Pattern::parse("a*[").is_err());
    }

    #[test]
    fn what_takes_nothing_is_named() {
        let only = Selecting::Only(["kb", "kb.main.articels"].map(|text| Pattern::parse(text).unwrap()).to_vec());
        assert_eq!(only.idle(&["kb.main.articles".to_owned()]), ["kb.main.articels"]);
        assert!(only.takes("kb.main.articles") && !only.takes("other.main.articles"));
        let without = Selecting::Without(vec![Pattern::parse("kb").unwrap()]);
        assert!(!without.takes("kb.main.articles") && without.takes("other.main.articles"));
    }
}
