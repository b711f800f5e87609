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

/// Refuses what could not be written, before there is anything to write: a file that is there, and a folder that is not.
pub(super) fn check(file: &Path, force: bool) -> Result<(), NotWritten> {
    let refused = |kind: io::ErrorKind| Err(NotWritten { file: file.to_owned(), error: kind.into() });
    match fs_err::symlink_metadata(file) {
        Ok(_) if !force => refused(io::ErrorKind::AlreadyExists),
        _ if !folder_of(file).is_dir() => refused(io::ErrorKind::NotFound),
        _ => Ok(()),
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file under its name once all of it is on the disk.
pub(super) fn write(file: &Path, text: &str, force: bool) -> Result<(), NotWritten> {
    let not_written = |error| NotWritten { file: file.to_owned(), error };
    // Readable for everybody whom the folder lets in, as other files of a repository are.
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vecferry-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut made = builder.tempfile_in(folder_of(file)).map_err(not_written)?;
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
