//! Who holds a lock, on which machine, and whether that one still lives.
//!
//! A lock of the operating system says that its owner lives, as far as the folder's file system carries it. On a folder that
//! several machines share it often does not: each sees its own locks only. So the file names the owner and its machine, and a
//! lock that could be taken while the file still names somebody is free only where that one is provably gone:
//!
//! - The same start of the same machine (one boot id): there the lock of the operating system is right, and beside it no process
//!   with that number and that start time may be alive.
//! - The same machine (machine id and name), started anew since: nothing of it lives any more.
//! - Another machine: unknown.
//!
//! Owners that name no machine (older versions wrote none, and neither do systems that have none) are judged by the lock of the
//! operating system alone, as they always were; and so is a text that cannot be read, which a power cut may leave.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Owner {
    /// Its run.
    pub run: String,
    /// Its process.
    pub pid: u32,
    /// When that started, in the clock ticks of its machine; process numbers are given out again, and this with them is not.
    #[serde(default)]
    pub started: u64,
    /// The name of its machine.
    pub host: String,
    /// The id of its machine.
    #[serde(default)]
    pub machine: String,
    /// The id of that machine's last start.
    #[serde(default)]
    pub boot: String,
    /// Since when.
    pub since: String,
}

/// What can be said of an owner whose lock could be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is provably gone.
    Gone,
    /// It lives, and the file system carries no locks.
    Alive,
    /// It is on another machine.
    Unknown,
}

impl Owner {
    /// This process, as the owner of a lock for a run.
    pub(super) fn this(run: &str) -> Self {
        let line = |path: &str| fs_err::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let host = line("/proc/sys/kernel/hostname");
        Self {
            run: run.to_owned(),
            pid: std::process::id(),
            started: started(std::process::id()).unwrap_or_default(),
            host: if host.is_empty() { line("/etc/hostname") } else { host },
            machine: line("/etc/machine-id"),
            boot: line("/proc/sys/kernel/random/boot_id"),
            since: jiff::Timestamp::now().to_string(),
        }
    }

    /// The owner that a lock's file names, or none. A text that cannot be read names nobody.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        match serde_json::from_str::<Self>(text) {
            Ok(owner) => Some(owner).filter(|owner| !owner.run.is_empty()),
            Err(error) => {
                tracing::info!(%error, "a lock's file names no owner that can be read: the lock itself decides");
                None
            }
        }
    }

    /// Whether an owner whose lock could be taken is gone, seen from `here`.
    pub(super) fn verdict(&self, here: &Self) -> Verdict {
        let same = |one: &str, other: &str| !one.is_empty() && one == other;
        let unnamed = self.machine.is_empty() && self.boot.is_empty();
        let same_start = same(&self.boot, &here.boot);
        let same_machine = same_start || (same(&self.machine, &here.machine) && self.host == here.host);
        let itself = same_start && (self.pid, self.started) == (here.pid, here.started);
        match () {
            () if unnamed || itself => Verdict::Gone,
            () if !same_machine => Verdict::Unknown,
            () if !same_start && !self.boot.is_empty() && !here.boot.is_empty() => Verdict::Gone,
            () if started(self.pid) == Some(self.started) => Verdict::Alive,
            () => Verdict::Gone,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.run.is_empty() {
            return f.write_str("a process that did not say who it is");
        }
        let host = if self.host.is_empty() { "a machine without a name" } else { &self.host };
        write!(f, "run {} (process {} on {host}, since {})", self.run, self.pid, self.since)
    }
}

/// When a process started, if there is one with that number. The name of its program, in brackets, may hold anything.
pub(super) fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_gone_only_where_that_can_be_proven() {
        let here = Owner { host: "h".into(), machine: "m".into(), boot: "b".into(), ..Owner::this("r2") };
        // A process of this machine that surely lives beside this one.
        let parent = std::os::unix::process::parent_id();
        let other = Owner { run: "r1".into(), pid: parent, started: started(parent).unwrap(), ..here.clone() };
        assert_eq!(other.verdict(&here), Verdict::Alive);
        let cases = [
            (here.clone(), Verdict::Gone),
            (Owner { started: other.started + 1, ..other.clone() }, Verdict::Gone),
            (Owner { boot: "before".into(), ..other.clone() }, Verdict::Gone),
            (Owner { boot: "before".into(), host: "x".into(), ..other.clone() }, Verdict::Unknown),
            (Owner { boot: "before".into(), machine: "x".into(), ..other.clone() }, Verdict::Unknown),
            (Owner { boot: "before".into(), machine: String::new(), ..other.clone() }, Verdict::Unknown),
            // Two containers on one machine: the locks of their one kernel are right about both.
            (Owner { host: "x".into(), machine: String::new(), started: 1, ..other.clone() }, Verdict::Gone),
            (Owner { boot: String::new(), machine: String::new(), ..other.clone() }, Verdict::Gone),
        ];
        for (owner, verdict) in cases {
            assert_eq!(owner.verdict(&here), verdict, "{owner:?}");
        }
    }

    #[test]
    fn what_names_nobody_is_nobody() {
        assert_eq!(Owner::parse(""), None);
        assert_eq!(Owner::parse("\0\0\0"), None);
        assert_eq!(Owner::parse("{\"run\":\"r1\",\"pid\":"), None);
        let old = r#"{"run":"r1","pid":7,"host":"h","since":"2026-01-01T00:00:00Z"}"#;
        let owner = Owner::parse(old).unwrap();
        assert_eq!(owner.verdict(&Owner::this("r2")), Verdict::Gone);
        let now = Owner::this("r3");
        assert_eq!(Owner::parse(&serde_json::to_string(&now).unwrap()), Some(now));
    }
}
