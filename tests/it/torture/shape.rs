//! What is copied in a run, from the seed: which rows, from which kind of server to which, and shaped how.

use std::fmt;

use crate::runs::Seeded;

/// What becomes of the rows, and of what is there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Each row keeps its key.
    Same,
    /// The server makes the keys, and a field keeps the old ones.
    Kept,
    /// The server makes the keys, and nothing tells the old ones.
    Lost,
    /// The target exists, with some of the rows, others in their place, and some that the source does not have.
    Converge,
    /// The target exists, and is dropped.
    Replace,
}

const WAYS: [Way; 8] = [Way::Same, Way::Same, Way::Same, Way::Kept, Way::Kept, Way::Lost, Way::Converge, Way::Replace];

/// A run's copy.
#[derive(Debug, Clone)]
pub struct Shape {
    pub way: Way,
    /// Texts as keys, and not numbers.
    pub text_keys: bool,
    pub lite_source: bool,
    pub lite_target: bool,
    pub rows: u64,
    pub split_rows: u64,
    pub concurrency: u64,
    /// Milliseconds that sending all rows takes at least; none without a limit.
    pub stretched: Option<u64>,
    /// Rows that the target holds before, where it exists.
    pub before: u64,
    /// Whether the target is left loaded.
    pub load: bool,
    /// Seconds for which requests are repeated; where they are few, more is left to the next run.
    pub retry: u64,
}

impl Shape {
    /// The rows depend on the seed and not on the run, because a source takes seconds to be filled: runs with the same kind of
    /// keys share one.
    pub fn of(seed: u64, random: &mut Seeded) -> Shape {
        let way = WAYS[random.below(WAYS.len() as u64) as usize];
        let text_keys = random.below(3) == 0;
        let rows = 1_000 + Seeded::of(seed + u64::from(text_keys)).below(3_000);
        let splits = 5 + random.below(16);
        Shape {
            way,
            text_keys,
            lite_source: random.below(4) == 0,
            // It overwrites rows of the same key, so that it shows losses only.
            lite_target: matches!(way, Way::Same | Way::Converge) && random.below(5) == 0,
            rows,
            split_rows: rows.div_ceil(splits),
            concurrency: 1 + random.below(4),
            stretched: (random.below(2) == 0).then(|| 500 + random.below(2_000)),
            before: rows / 3 + random.below(rows),
            // Comparing is quicker then.
            load: random.below(4) != 0,
            retry: [1, 4, 60][random.below(3) as usize],
        }
    }

    pub fn splits(&self) -> u64 {
        self.rows.div_ceil(self.split_rows)
    }

    /// Roughly, on the wire.
    pub fn row_bytes(&self) -> u64 {
        if self.text_keys { 70 } else { 150 }
    }

    /// The preset of `tests/support/presets.py` that fills the source.
    pub fn preset(&self) -> &'static str {
        if self.text_keys { "varchar_key" } else { "small" }
    }

    /// The options of `fill.py` for what is there before, where the plan needs something to be there.
    pub fn filled_before(&self) -> Option<Vec<String>> {
        match self.way {
            // Other rows of the same keys.
            Way::Converge => Some(vec!["--rows".into(), self.before.to_string(), "--seed".into(), "2".into()]),
            Way::Replace => Some(vec!["--rows".into(), "300".into(), "--no-index".into(), "--no-flush".into()]),
            _ => None,
        }
    }

    /// The options of `compare.py`.
    pub fn compared(&self) -> &'static [&'static str] {
        match self.way {
            Way::Kept => &["--known-by", "legacy_id"],
            Way::Lost => &["--by-content"],
            _ => &[],
        }
    }

    /// The plan between two addresses with their databases.
    pub fn plan(&self, from: (&str, &str, &str), to: (&str, &str, &str)) -> String {
        let way = match self.way {
            Way::Same => "",
            Way::Kept => "\n        primary_key: {auto_id: true, keep_as: legacy_id}",
            Way::Lost => "\n        primary_key: {auto_id: true}",
            Way::Converge => "\n        on_existing: converge\n        prune: true",
            Way::Replace => "\n        on_existing: replace",
        };
        let pace = self.stretched.map_or_else(String::new, |millis| {
            let rate = (self.rows * self.row_bytes()) as f64 / 1e3 / millis as f64;
            format!(", write_mb_per_s: {rate:.4}")
        });
        let timeouts = format!("timeouts: {{connect: 2s, request: 5s, retry: {}s}}", self.retry);
        format!(
            "version: 1\nname: torture\nsources:\n  old:\n    milvus: {{uri: \"{}\", {timeouts}}}\ntargets:\n  new:\n    milvus: {{uri: \"{}\", {timeouts}}}\n\
             migrations:\n  - from: old\n    to: new\n    database: {{from: {}, to: {}}}\n    collections:\n      - source: {}\n        target: {}\n        indexes: copy\n        load: {}{way}\n    \
             limits: {{split_rows: {}, concurrency: {}{pace}}}\n",
            from.0, to.0, from.1, to.1, from.2, to.2, self.load, self.split_rows, self.concurrency,
        )
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = |lite: bool| if lite { "lite" } else { "2.3.5" };
        write!(
            f,
            "{:?}, {} keys, {} to {}, {} rows in {} splits, {} at once",
            self.way,
            if self.text_keys { "text" } else { "number" },
            kind(self.lite_source),
            kind(self.lite_target),
            self.rows,
            self.splits(),
            self.concurrency,
        )?;
        match self.stretched {
            Some(millis) => write!(f, ", over {millis} ms"),
            None => Ok(()),
        }
    }
}
