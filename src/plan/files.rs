//! From what the user named to texts: folders to the plan files in them, files to checked UTF-8.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::secrets;
use crate::diagnostic::{Code, Diagnostic, SourceText, Span};

/// The largest plan file that is read. Plans are written by people; this is room for some fifty thousand collections.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The folder that `vecferry` keeps its state in where nothing else is said.
pub(crate) const STATE_FOLDER: &str = ".vecferry";

/// All plan files behind the given paths, each once, in the order given; the files of a folder sorted by name.
/// `is_state` tells the folders that hold vecferry's state.
pub(crate) fn expand(
    paths: &[PathBuf],
    mut is_state: impl FnMut(&Path) -> bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    for path in paths {
        let mut found = Vec::new();
        if path.is_dir() {
            collect(path, 0, &mut is_state, &mut found, diagnostics);
            if found.is_empty() {
                diagnostics.push(
                    about_file(
                        Code::NoPlanFiles,
                        path,
                        format!("`{}` holds no `*.yaml` or `*.yml` file", path.display()),
                    )
                    .help("name a plan file, or a folder with plan files in it"),
                );
            }
        } else {
            found.push(path.clone());
        }
        for file in found {
            let identity = fs_err::canonicalize(&file).unwrap_or_else(|_| file.clone());
            if seen.insert(identity) {
                files.push(file);
            }
        }
    }
    files
}

/// Folders below a folder that are looked into; deeper ones are not where plans are kept.
const MAX_FOLDERS: usize = 16;

fn collect(
    folder: &Path,
    depth: usize,
    is_state: &mut impl FnMut(&Path) -> bool,
    found: &mut Vec<PathBuf>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let entries = match fs_err::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => {
            diagnostics.push(about_file(Code::FileUnreadable, folder, error.to_string()));
            return;
        }
    };
    let mut names: Vec<_> = entries.iter().map(fs_err::DirEntry::file_name).collect();
    names.sort();
    for name in names {
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let path = folder.join(name);
        // A link to a folder may lead back up, so only real folders are entered.
        if fs_err::symlink_metadata(&path).is_ok_and(|data| data.is_dir()) {
            if depth < MAX_FOLDERS && !is_state(&path) {
                collect(&path, depth + 1, is_state, found, diagnostics);
            }
        } else if !path.is_dir() && path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            found.push(path);
        }
    }
}

/// The text of a file, or why there is none.
pub(crate) fn read(path: &Path) -> Result<String, Diagnostic> {
    let unreadable = |error: std::io::Error| {
        let reason = error.to_string();
        about_file(Code::FileUnreadable, path, reason)
    };
    let data = fs_err::metadata(path).map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        if missing {
            let message = format!("there is no file `{}`", path.display());
            about_file(Code::FileUnreadable, path, message)
                .help("check the name, and the folder that it is looked for in: `-C` chooses another")
        } else {
            unreadable(error)
        }
    })?;
    if !data.is_file() {
        let message = format!("`{}` is no regular file", path.display());
        return Err(about_file(Code::FileUnreadable, path, message).help("write the plan to a file first"));
    }
    let too_large = || {
        about_file(Code::FileTooLarge, path, format!("the file is larger than {} MiB", MAX_BYTES / 1024 / 1024))
            .help("is this the right file? A plan is text that people write")
    };
    if data.len() > MAX_BYTES {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(data.len() as usize);
    // It may have grown since it was measured.
    fs_err::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    decode(path, bytes)
}

/// The text that a file's bytes are.
pub(crate) fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, Diagnostic> {
    String::from_utf8(bytes).map_err(|error| not_utf8(path, error.as_bytes(), error.utf8_error()))
}

fn not_utf8(path: &Path, bytes: &[u8], error: std::str::Utf8Error) -> Diagnostic {
    let valid = error.valid_up_to();
    let text = String::from_utf8_lossy(&bytes[..valid]).into_owned();
    let masks = secrets::in_text(&text);
    let source = Arc::new(SourceText::with_masks(name(path), text, masks));
    let help = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        "the file looks like UTF-16; save it as UTF-8"
    } else {
        "save it as UTF-8"
    };
    Diagnostic::new(Code::NotUtf8, format!("byte {valid} (from 0) begins something that is not UTF-8"))
        .at(Span::new(&source, valid..valid))
        .help(help)
}

/// A message about a file as a whole.
pub(crate) fn about_file(code: Code, path: &Path, message: impl Into<String>) -> Diagnostic {
    let source = Arc::new(SourceText::new(name(path), ""));
    Diagnostic::new(code, message).at(Span::new(&source, 0..0))
}

/// A file's name for messages: as the user gave it, or relative to where the command runs.
pub(crate) fn name(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let path = here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    // `./a.yaml`, as a walk through `.` finds it, is `a.yaml` to everybody else.
    let plain = path.strip_prefix(".").unwrap_or(path);
    let shown = if plain.as_os_str().is_empty() { path } else { plain };
    shown.display().to_string()
}
