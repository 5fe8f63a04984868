//! Opening what lies in a slot without being led elsewhere: who may write into the directory above
//! a slot could put a symbolic link in the slot's place. Links further up are the administrator's,
//! and followed.

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use rustix::fs::{CWD, OFlags, ResolveFlags, openat2};

/// Opens a file of a slot for reading, as [`Directory::file`] does; in one call where that can be,
/// for that is done for each frame.
///
/// Where the file is found that one call was refused, it `takes_steps` from then on: there is a
/// link further up, before Linux 5.6 there is no such call, or a sandbox does not let it be made.
///
/// # Errors
/// What open(2) says; ENOTDIR and ELOOP for symbolic links in the place of the directory and of the
/// file.
pub(crate) fn open_file(
    directory: &Path,
    name: &str,
    path: &Path,
    takes_steps: &Cell<bool>,
) -> io::Result<File> {
    let in_steps = || Directory::open(directory)?.file(name);
    if takes_steps.get() {
        return in_steps();
    }
    let refused = match open_without_links(path) {
        Ok(file) => return Ok(file),
        Err(refused) => refused,
    };
    let file = in_steps()?;
    // What was not there may have come meanwhile.
    if refused.kind() != io::ErrorKind::NotFound {
        takes_steps.set(true);
    }
    Ok(file)
}

/// Opens a file for reading if there is no symbolic link on the way, nor in its place.
fn open_without_links(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mode = rustix::fs::Mode::empty();
    Ok(openat2(CWD, path, flags, mode, ResolveFlags::NO_SYMLINKS)?.into())
}

/// A slot's directory, for as long as one file in it is dealt with. Held for longer, it keeps
/// inotify(7) from telling of the directory's loss, and its file system from being unmounted.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    /// # Errors
    /// What open(2) says; ENOTDIR for a symbolic link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(Self(openat(AT_FDCWD, path, flags, Mode::empty())?))
    }

    /// Opens a file for reading. A link is not followed, and the other end of a FIFO not waited for
    /// (open(2)).
    ///
    /// # Errors
    /// What open(2) says; ELOOP for a symbolic link.
    pub(crate) fn file(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty())
    }

    /// Creates a file that is not there, for writing.
    ///
    /// # Errors
    /// What open(2) says.
    pub(crate) fn create(&self, name: &str, mode: Mode) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        self.open_file(name, flags, mode)
    }

    /// What is known of a file without opening it: nobody hears of this look.
    ///
    /// # Errors
    /// What open(2) says.
    pub(crate) fn metadata(&self, name: &str) -> io::Result<Metadata> {
        self.open_file(name, OFlag::O_PATH, Mode::empty())?
            .metadata()
    }

    /// Renames one file over another.
    ///
    /// # Errors
    /// What rename(2) says.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(nix::fcntl::renameat(&self.0, from, &self.0, to)?)
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// What unlink(2) says.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let flag = nix::unistd::UnlinkatFlags::NoRemoveDir;
        Ok(nix::unistd::unlinkat(&self.0, name, flag)?)
    }

    fn open_file(&self, name: &str, flags: OFlag, mode: Mode) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, name, flags, mode)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn one_call_opens_no_file_behind_a_link_and_none_in_its_place() {
        let home = tempfile::tempdir().unwrap();
        // The system may have links on the way to it.
        let home = home.path().canonicalize().unwrap();
        let (slot, frame) = (home.join("slot"), home.join("slot/frame"));
        std::fs::create_dir(&slot).unwrap();
        std::fs::write(&frame, "frame").unwrap();
        symlink(&slot, home.join("in-its-place")).unwrap();
        symlink(&home, home.join("further-up")).unwrap();
        symlink("frame", slot.join("link")).unwrap();
        match open_without_links(&frame) {
            Ok(file) => assert_eq!(io::read_to_string(file).unwrap(), "frame"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}"),
        }
        for led in ["in-its-place/frame", "further-up/slot/frame", "slot/link"] {
            open_without_links(&home.join(led)).unwrap_err();
        }
        let takes_steps = Cell::new(false);
        let open = |at: &str, name| {
            let directory = home.join(at);
            open_file(&directory, name, &directory.join(name), &takes_steps)
        };
        // A link further up is followed, and what was found there changes nothing for others.
        for _ in 0..2 {
            open("slot", "frame").unwrap();
            open("in-its-place", "frame").unwrap_err();
            open("slot", "link").unwrap_err();
            open("further-up/slot", "frame").unwrap();
            assert!(takes_steps.get());
        }
    }
}
