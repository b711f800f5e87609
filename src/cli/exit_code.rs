//! What the process says to whoever started it.

/// Exit codes. They are an interface: a code keeps its meaning, and new ones may be added. A caller must treat a code
/// that it does not know as a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done, or nothing to do.
    Success = 0,
    /// Failed for a reason that has no code of its own.
    Failure = 1,
    /// `plan --detailed-exitcode`: there are changes. Used for nothing else.
    Changes = 2,
    /// `apply` ended incomplete, or `plan` has a blocked entry.
    Incomplete = 3,
    /// Verification found differences.
    Differences = 4,
    /// A temporary failure: run the same command again, and it resumes.
    Temporary = 5,
    /// The saved plan or the state does not match.
    Stale = 10,
    /// Locked by another run.
    Locked = 11,
    /// Authentication or permission was refused.
    Refused = 12,
    /// The plan is invalid.
    InvalidPlan = 13,
    /// The command line is wrong.
    Usage = 64,
    /// A bug in vecferry.
    Bug = 70,
    /// Interrupted, with the state saved.
    Interrupted = 130,
}

impl ExitCode {
    /// All codes in ascending order.
    pub const ALL: [Self; 13] = [
        Self::Success,
        Self::Failure,
        Self::Changes,
        Self::Incomplete,
        Self::Differences,
        Self::Temporary,
        Self::Stale,
        Self::Locked,
        Self::Refused,
        Self::InvalidPlan,
        Self::Usage,
        Self::Bug,
        Self::Interrupted,
    ];

    /// What it means, for help and documentation.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Success => "done, or nothing to do",
            Self::Failure => "failed, not otherwise classified",
            Self::Changes => "`plan --detailed-exitcode` only: there are changes",
            Self::Incomplete => "`apply` ended incomplete, rows are in quarantine, or `plan` has a blocked entry",
            Self::Differences => "verification found differences",
            Self::Temporary => "temporary failure: run the same command again, it resumes",
            Self::Stale => "the saved plan or the state does not match",
            Self::Locked => "locked by another run",
            Self::Refused => "authentication or permission refused",
            Self::InvalidPlan => "the plan is invalid",
            Self::Usage => "wrong command line",
            Self::Bug => "a bug in vecferry",
            Self::Interrupted => "interrupted, state saved",
        }
    }

    /// All codes and their meanings as lines of text.
    pub fn table() -> String {
        let mut table = String::from("Exit codes:\n");
        for code in Self::ALL {
            table.push_str(&format!("  {:>3}  {}\n", code as u8, code.meaning()));
        }
        table.push_str("Treat a code that is not listed here as a failure.");
        table
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
