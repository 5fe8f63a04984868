//! A lock on a slot, for a producer that wants to know of a second one: two of them would publish
//! into the same files. The kernel lets go of it when its process ends, however it ends.
//!
//! It is a file beside the slot. A file that is open in the slot would keep inotify(7) from telling
//! of the directory's loss.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

/// How often the file may be replaced by somebody else while it is being locked.
const TRIES: u32 = 10;

/// How often a lock is tried again that another process has.
const AGAIN: Duration = Duration::from_millis(20);

/// A number of a process has fewer digits.
const MOST_DIGITS: u64 = 20;

/// A slot's lock, while this process has it.
#[derive(Debug)]
pub struct SlotLock {
    file: File,
    path: PathBuf,
}

/// Why a slot was not locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has the lock.
    #[error(
        "slot {slot:?}: {holder} writes it, which has locked {path:?} (end that, or give another \
         directory with --slots)"
    )]
    Taken {
        /// The slot.
        slot: PathBuf,
        /// Its lock.
        path: PathBuf,
        /// Which process that is, as far as it has said.
        holder: String,
    },
    /// The system refused.
    #[error("cannot lock {path:?}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

impl SlotLock {
    /// Locks a slot by this file ([`lock_file`]), whose directory is there.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn take(slot: &Path, path: &Path) -> Result<Self, LockError> {
        let path = path.to_owned();
        let refused = |reason| LockError::Io {
            path: path.clone(),
            reason,
        };
        for _ in 0..TRIES {
            let mut file = open(&path).map_err(refused)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&mut file);
                    let (slot, path) = (slot.to_owned(), path);
                    return Err(LockError::Taken { slot, path, holder });
                }
                Err(TryLockError::Error(reason)) => return Err(refused(reason)),
            }
            // Who had it before has removed the file that was opened here.
            if !lies_at(&file, &path) {
                continue;
            }
            file.set_len(0)
                .and_then(|()| write!(file, "{}", process::id()))
                .map_err(refused)?;
            return Ok(Self { file, path });
        }
        Err(refused(io::ErrorKind::ResourceBusy.into()))
    }

    /// How long an earlier process may take at the start of this one to leave a slot to it. When it
    /// is told to end it does so at once.
    pub const HANDOVER: Duration = Duration::from_secs(2);

    /// The same, but a process that has the lock and may be about to end is waited for until then.
    /// Where locks cannot be had, as beside a slot that was made by somebody else, the log says so,
    /// and there is none: a second producer is not noticed.
    ///
    /// # Errors
    /// [`LockError::Taken`]
    pub fn take_until(slot: &Path, path: &Path, until: Instant) -> Result<Option<Self>, LockError> {
        loop {
            match Self::take(slot, path) {
                Ok(lock) => return Ok(Some(lock)),
                Err(LockError::Taken { .. }) if Instant::now() < until => {
                    std::thread::sleep(AGAIN);
                }
                Err(error @ LockError::Taken { .. }) => return Err(error),
                Err(error) => {
                    log::warn!("a second producer of {slot:?} would not be noticed: {error}");
                    return Ok(None);
                }
            }
        }
    }
}

impl Drop for SlotLock {
    fn drop(&mut self) {
        // While it is locked: who opens it until then finds that it has gone.
        if lies_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where the lock of a slot is: beside it; in it if it is the directory of the slots itself, as
/// that of the camera `default` is, beside which a producer may have no rights.
pub fn lock_file(slot: &Path, slots: Option<&Path>) -> PathBuf {
    if slots == Some(slot) {
        return slot.join(".lock");
    }
    let mut name = std::ffi::OsString::from(".");
    name.push(slot.file_name().unwrap_or_default());
    name.push(".lock");
    slot.with_file_name(name)
}

fn open(path: &Path) -> io::Result<File> {
    // Who may open it could lock it, too.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).bits())
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::ErrorKind::AlreadyExists.into()),
    }
}

fn lies_at(file: &File, path: &Path) -> bool {
    let there = path.symlink_metadata();
    let same = |there: fs::Metadata| {
        let own = file.metadata()?;
        io::Result::Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
    };
    there.and_then(same).unwrap_or(false)
}

fn holder(file: &mut File) -> String {
    let mut said = String::new();
    let read = file.take(MOST_DIGITS).read_to_string(&mut said);
    let id = read.ok().and_then(|_| said.parse::<u32>().ok());
    id.map_or("another process".to_owned(), |id| format!("process {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn take(slot: &Path) -> Result<SlotLock, LockError> {
        SlotLock::take(slot, &lock_file(slot, None))
    }

    fn slot() -> (TempDir, PathBuf) {
        let home = TempDir::new().unwrap();
        let slot = home.path().join("door");
        (home, slot)
    }

    #[test]
    fn one_process_has_it_and_says_which() {
        let (home, slot) = slot();
        let lock = take(&slot).unwrap();
        let error = take(&slot).unwrap_err().to_string();
        assert!(
            error.contains(&format!("process {} ", process::id())),
            "{error}"
        );
        assert!(error.contains(slot.to_str().unwrap()), "{error}");
        drop(lock);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "it is left");
        take(&slot).unwrap();
    }

    #[test]
    fn what_a_process_left_that_was_killed_is_taken_over() {
        let (_home, slot) = slot();
        fs::write(lock_file(&slot, None), "4194305").unwrap();
        let _lock = take(&slot).unwrap();
        let said = fs::read_to_string(lock_file(&slot, None)).unwrap();
        assert_eq!(said, process::id().to_string());
    }

    #[test]
    fn a_file_that_was_replaced_is_no_lock_and_stays() {
        let (_home, slot) = slot();
        let lock = take(&slot).unwrap();
        fs::remove_file(lock_file(&slot, None)).unwrap();
        let second = take(&slot).unwrap();
        drop(lock);
        assert!(lies_at(&second.file, &lock_file(&slot, None)));
    }

    #[test]
    fn one_that_is_about_to_end_is_waited_for_and_one_that_is_not_for_so_long() {
        let (home, slot) = slot();
        let path = lock_file(&slot, None);
        let lock = take(&slot).unwrap();
        let over = SlotLock::take_until(&slot, &path, Instant::now());
        assert!(matches!(over, Err(LockError::Taken { .. })));
        let ending = std::thread::spawn(move || {
            std::thread::sleep(3 * AGAIN);
            drop(lock);
        });
        let until = Instant::now() + Duration::from_secs(60);
        let waited = SlotLock::take_until(&slot, &path, until).unwrap();
        assert!(waited.is_some());
        ending.join().unwrap();
        let nowhere = home.path().join("none/.lock");
        let none = SlotLock::take_until(&slot, &nowhere, until).unwrap();
        assert!(none.is_none());
    }

    #[test]
    fn it_leads_nobody_elsewhere() {
        let (home, slot) = slot();
        let elsewhere = home.path().join("precious");
        fs::write(&elsewhere, "it").unwrap();
        std::os::unix::fs::symlink(&elsewhere, lock_file(&slot, None)).unwrap();
        assert!(matches!(take(&slot), Err(LockError::Io { .. })));
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "it");
    }
}
