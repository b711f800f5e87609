//! Parse, run, exit code; nothing else.

/// Pages of rows are a few large pieces of memory that come and go. The system's allocator hands each back when it is freed, and
/// then the system clears it before it is used again, which took a fifth of a copy's processor time. Huge pages are left out: they
/// save a fiftieth of that time, and cost a third of the memory that the process promises to keep to.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    vecferry::cli::main()
}
