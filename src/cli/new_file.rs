//! Files that commands make for people: never over one that is there unless somebody says so, and whole or not at all.

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Context;
use super::exit_code::ExitCode;
use super::session;

/// Why a file was not written.
#[derive(Debug)]
pub(super) struct NotWritten {
    file: PathBuf,
    error: io::Error,
}

impl fmt::Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Refuses a file that is there, before there is anything to write to it.
pub(super) fn check(file: &Path, force: bool) -> Result<(), NotWritten> {
    match fs_err::symlink_metadata(file) {
        Ok(_) if !force => Err(NotWritten { file: file.to_owned(), error: io::ErrorKind::AlreadyExists.into() }),
        _ => Ok(()),
    }
}

/// Writes a file under its name once all of it is on the disk.
pub(super) fn write(file: &Path, text: &str, force: bool) -> Result<(), NotWritten> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let not_written = |error| NotWritten { file: file.to_owned(), error };
    // Readable for everybody whom the folder lets in, as other files of a repository are.
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vecferry-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut made = builder.tempfile_in(folder).map_err(not_written)?;
    made.write_all(text.as_bytes()).and_then(|()| made.as_file().sync_all()).map_err(not_written)?;
    let persisted = if force { made.persist(file) } else { made.persist_noclobber(file) };
    persisted.map(drop).map_err(|error| not_written(error.error))
}

/// Says why, and what to do.
pub(super) fn say(not_written: &NotWritten, context: &Context) -> ExitCode {
    let file = not_written.file.display();
    if not_written.error.kind() == io::ErrorKind::AlreadyExists {
        session::say(
            &format!("`{file}` is there already"),
            "name another file, or say `--force` to overwrite it",
            context,
        );
    } else {
        let error = &not_written.error;
        session::say(
            &format!("can't write `{file}`: {error}"),
            "see that its folder is there and can be written to",
            context,
        );
    }
    ExitCode::Failure
}
