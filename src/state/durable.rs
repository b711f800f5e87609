//! Names that survive a power cut: a new file, folder or name is on the disk only once the folder that holds it is.

use std::path::Path;

use fs_err as fs;

/// Waits until the names in a folder are on the disk.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// The same for the folder that a file lies in.
pub(super) fn sync_folder_of(file: &Path) -> std::io::Result<()> {
    file.parent()
        .map_or(Ok(()), |folder| sync_folder(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }))
}

/// Makes a folder and those above it, each of them durable.
pub(super) fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above)?;
    }
    match fs::create_dir(folder) {
        // Another run made it at the same time.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made.and_then(|()| sync_folder_of(folder)),
    }
}

/// Removes a file, if there is one, and waits until its name is gone from the disk.
pub(super) fn remove(file: &Path) -> std::io::Result<()> {
    match fs::remove_file(file) {
        Ok(()) => sync_folder_of(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
