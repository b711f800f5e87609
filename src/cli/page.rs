//! The page for a browser as a file of its own, beside whatever else a command writes.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit_code::ExitCode;
use super::{Context, session};

/// What every page begins with. A file that begins otherwise is somebody's, and is not written over.
const BEGINNING: &str = "<!DOCTYPE html>";

/// The page beside the result.
#[derive(Debug, Args)]
pub(super) struct PageArgs {
    /// Write the result as a page for a browser too: one file that needs no other.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl PageArgs {
    /// Says at once where the page could not be written, because nobody wants to learn it after hours.
    pub(super) fn check(&self, context: &Context) -> Result<(), ExitCode> {
        let Some(file) = &self.report else { return Ok(()) };
        let trouble = match beginning(file) {
            Ok(found) if found == BEGINNING.as_bytes() || found.is_empty() => return Ok(()),
            Ok(_) => "exists and is no page of vecferry".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder(file).is_dir() => return Ok(()),
            Err(error) => format!("can't be written: {error}"),
        };
        session::say(&format!("{} {trouble}", file.display()), HELP, context);
        Err(ExitCode::Usage)
    }

    /// Writes the page where one is wanted: whole or not at all.
    pub(super) fn write(&self, page: impl FnOnce() -> String, context: &Context) -> Result<(), ExitCode> {
        let Some(file) = &self.report else { return Ok(()) };
        put(&page(), file).map_err(|error| {
            session::say(&format!("{} can't be written: {error}", file.display()), HELP, context);
            ExitCode::Failure
        })
    }
}

const HELP: &str = "give `--report` the name of a new file in a folder that exists and can be written to";

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beginning(file: &Path) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    std::fs::File::open(file)?.take(BEGINNING.len() as u64).read_to_end(&mut found)?;
    Ok(found)
}

fn put(page: &str, file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    // It is there to be shown around: as readable as the user's other files.
    let readable = std::fs::Permissions::from_mode(0o666);
    let mut written =
        tempfile::Builder::new().prefix(".vecferry-report-").permissions(readable).tempfile_in(folder(file))?;
    written.write_all(page.as_bytes())?;
    written.as_file().sync_all()?;
    written.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_takes_the_place_of_an_older_one() {
        let folder = crate::searched::folder();
        let file = folder.path().join("report.html");
        for page in ["<!DOCTYPE html>one", "<!DOCTYPE html>two"] {
            put(page, &file).expect("it is written");
            assert_eq!(fs_err::read_to_string(&file).expect("it is there"), page);
        }
        assert_eq!(fs_err::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left");
        assert_eq!(beginning(&file).expect("it is there"), BEGINNING.as_bytes());
    }
}
