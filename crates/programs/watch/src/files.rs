//! Files that are whole at any moment, whoever is killed and whatever loses its power: written
//! beside their place, brought to the disk, renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Puts a file of these contents into the place of whatever lies there. It is on the disk then,
/// and so is its name.
///
/// # Errors
/// What the system says; what lay there lies there still, and nothing is left beside it.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace_how(path, contents, Until::OnDisk)?;
    if let Some(directory) = path.parent() {
        // Some file systems cannot bring a directory to the disk (FUSE); the file is in its place.
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
    Ok(())
}

/// The same for what may be as it was before, where the power is lost.
///
/// # Errors
/// As of [`replace`].
pub(crate) fn replace_soon(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace_how(path, contents, Until::InPlace)
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Whoever is killed, the file is whole.
    InPlace,
    /// And where the power is lost.
    OnDisk,
}

fn replace_how(path: &Path, contents: &[u8], until: Until) -> io::Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let hidden = directory.join(format!(".{}.tmp", name.to_string_lossy()));
    let replaced = write(&hidden, contents, until).and_then(|()| fs::rename(&hidden, path));
    replaced.inspect_err(|_| {
        // It may not even be there.
        let _ = fs::remove_file(&hidden);
    })
}

fn write(path: &Path, contents: &[u8], until: Until) -> io::Result<()> {
    // What is shown on a page is read by the group; nobody else.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o640);
    let mut file = options.open(path)?;
    file.write_all(contents)?;
    match until {
        Until::InPlace => Ok(()),
        Until::OnDisk => file.sync_data(),
    }
}

/// Reads a file of at most so many bytes.
///
/// # Errors
/// What the system says; [`io::ErrorKind::FileTooLarge`] for a larger one.
pub(crate) fn read(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    File::open(path)?
        .take(most_bytes + 1)
        .read_to_end(&mut contents)?;
    if contents.len() as u64 > most_bytes {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(contents)
}

/// Says whether there was no room on the disk for it.
pub(crate) fn is_for_want_of_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"three").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"three");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        let larger = read(&path, 4).unwrap_err();
        assert_eq!(larger.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn what_cannot_be_written_leaves_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        fs::create_dir(&path).unwrap(); // it cannot be renamed over
        assert!(replace(&path, b"one").is_err());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        assert!(replace(&directory.path().join("no/a.json"), b"one").is_err());
    }
}
