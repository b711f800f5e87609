//! `--target` and `--exclude`: which collections of the plans a command is about.

use clap::Args;

use crate::flow::{Pattern, Selecting};

/// Which collections a command is about.
#[derive(Debug, Args)]
pub(super) struct SelectArgs {
    /// Only the collections with this address (`migration.database.collection`), the beginning of one, or a pattern with `*` and
    /// `?`. May be given several times. For exceptional use: what is left out stays undone.
    #[arg(long, value_name = "ADDRESS", value_parser = Pattern::parse, conflicts_with = "exclude")]
    target: Vec<Pattern>,
    /// All collections but those, by the same addresses.
    #[arg(long, value_name = "ADDRESS", value_parser = Pattern::parse)]
    exclude: Vec<Pattern>,
}

impl SelectArgs {
    /// What they say.
    pub(super) fn selecting(&self) -> Selecting {
        match (self.target.is_empty(), self.exclude.is_empty()) {
            (false, _) => Selecting::Only(self.target.clone()),
            (true, false) => Selecting::Without(self.exclude.clone()),
            (true, true) => Selecting::All,
        }
    }

    /// The arguments again, for a command that goes on.
    pub(super) fn again(&self) -> Vec<String> {
        let all = |flag: &str, patterns: &[Pattern]| -> Vec<String> {
            patterns.iter().flat_map(|pattern| [flag.to_owned(), pattern.text.clone()]).collect()
        };
        [all("--target", &self.target), all("--exclude", &self.exclude)].concat()
    }
}
