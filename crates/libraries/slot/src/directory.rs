//! Opening what lies in a slot without being led elsewhere: who may write into the directory above
//! a slot could put a symbolic link in the slot's place. Links further up are the administrator's,
//! and followed.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;

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
