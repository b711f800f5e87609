//! Places where a test may end the process at once.
//!
//! Killing a run at random moments finds the gaps that are wide. The narrow ones lie between a step that lasts (a record on the
//! disk, a write that the target acknowledged) and the next one, so each such step ends in a call of [`reached`], and a test
//! dies at every one of them in turn. Two variables of the environment belong to it:
//!
//! - `VECFERRY_CRASH_AT=N` ends the process at the N-th call, counted from 1, without any clean-up.
//! - `VECFERRY_CRASH_LOG=FILE` appends the name of each call to a file, which is how a test learns how many there are.
//!
//! None of this is in a release build.

/// Says that a step was made that lasts.
#[cfg(debug_assertions)]
pub fn reached(step: &str) {
    armed::reached(step);
}

/// Says that a step was made that lasts.
#[cfg(not(debug_assertions))]
pub const fn reached(_step: &str) {}

#[cfg(debug_assertions)]
mod armed {
    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use fs_err::OpenOptions;

    static CALLS: AtomicU64 = AtomicU64::new(0);
    static LAST: LazyLock<Option<u64>> =
        LazyLock::new(|| std::env::var("VECFERRY_CRASH_AT").ok().and_then(|number| number.parse().ok()));
    static LOG: LazyLock<Option<PathBuf>> = LazyLock::new(|| std::env::var_os("VECFERRY_CRASH_LOG").map(PathBuf::from));

    pub fn reached(step: &str) {
        let call = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(log) = &*LOG {
            // One write for a line, so that lines of several threads do not mix. A log that cannot be written leaves a test
            // without points, which it notices.
            let _ = OpenOptions::new()
                .append(true)
                .create(true)
                .open(log)
                .and_then(|mut file| file.write_all(format!("{step}\n").as_bytes()));
        }
        if *LAST == Some(call) {
            std::process::abort();
        }
    }
}
