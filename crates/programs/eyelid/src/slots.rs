//! The slots directory, and who has it.

use std::fs::{self, DirBuilder, DirEntry};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use eyelid_figures::push_socket;
use eyelid_slot::{Phase, Publisher, STATE_FILE, State};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{AccessFlags, access};

use crate::plan::Plan;

/// Where one that nobody else can write is made, and how its name begins.
const MEMORY: &str = "/dev/shm";
const PRIVATE: &str = "eyelid-";

/// The slots directory while this process has it. What was made for it is removed at the end, and
/// the frames with it.
#[derive(Debug)]
pub(crate) struct Slots {
    path: PathBuf,
    directories: Vec<PathBuf>,
    made: Vec<PathBuf>,
    claim: UnixListener,
}

impl Slots {
    /// Makes the slots directory of a plan ready, for this process alone.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn take(plan: &Plan) -> anyhow::Result<Self> {
        let (path, mut made) = match &plan.slots {
            Some(path) => (path.clone(), Vec::new()),
            None => default_slots()?,
        };
        if !path.is_dir() {
            made.push(path.clone());
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(&path)
                .with_context(|| {
                    format!(
                        "cannot make the slots directory {path:?}; give another with --slots DIR"
                    )
                })?;
        }
        if !writable(&path) {
            bail!("cannot write the slots directory {path:?}; give another with --slots DIR");
        }
        let path = fs::canonicalize(&path).with_context(|| format!("slots directory {path:?}"))?;
        let claim = match claim(&path) {
            Ok(claim) => claim,
            // What the system says of it is about the socket that stands for the directory.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
                "another eyelid uses the slots directory {path:?}; give another with --slots DIR"
            ),
            Err(error) => return Err(error).with_context(|| format!("slots directory {path:?}")),
        };
        let mut slots = Self {
            path,
            directories: Vec::new(),
            made,
            claim,
        };
        for slot in plan.camera_slots(&slots.path.clone()) {
            slots.add(&slot)?;
        }
        Ok(slots)
    }

    /// Makes a camera's slot ready, if it is not.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn add(&mut self, slot: &Path) -> anyhow::Result<()> {
        if self.directories.iter().any(|there| there == slot) {
            return Ok(());
        }
        if !slot.is_dir() {
            fs::create_dir_all(slot).with_context(|| format!("cannot make the slot {slot:?}"))?;
            self.made.push(slot.to_owned());
        }
        self.directories.push(slot.to_owned());
        Ok(())
    }

    /// Removes a slot that no camera has any more.
    pub(crate) fn remove(&mut self, slot: &Path) {
        self.directories.retain(|there| there != slot);
        empty(slot, &self.path);
        if let Some(index) = self
            .made
            .iter()
            .position(|made| made == slot && made != &self.path)
        {
            let _ = fs::remove_dir(self.made.remove(index));
        }
    }

    /// The socket that says that the slots are taken: another descriptor of it.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn claim(&self) -> io::Result<UnixListener> {
        self.claim.try_clone()
    }

    /// Where the slots are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // What is not there, or is in use by something of the user's, stays as it is.
        for directory in &self.directories {
            empty(directory, &self.path);
        }
        // Of an eyelid-receive that was killed.
        let _ = fs::remove_file(push_socket(&self.path));
        for directory in self.made.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Removes what a producer leaves in its slot.
fn empty(slot: &Path, slots: &Path) {
    for file in eyelid_slot::files() {
        let _ = fs::remove_file(slot.join(file));
    }
    // Left only by a producer that was killed, or is leaving the slot itself.
    let _ = fs::remove_file(eyelid_slot::lock_file(slot, Some(slots)));
}

/// Says in a slot that its camera has failed, where `eyelid-capture` could not say so itself, with
/// a better reason.
pub(crate) fn note_refused(slot: &Path) {
    let said = fs::read(slot.join(STATE_FILE))
        .is_ok_and(|json| State::parse(&json).is_ok_and(|state| state.state == Phase::Failed));
    if said {
        return;
    }
    let reason = "eyelid-capture cannot run with its configuration; the log says why";
    let noted = Publisher::open(slot)
        .map_err(anyhow::Error::from)
        .and_then(|mut publisher| {
            Ok(publisher.set_state(&State::failed(reason.to_owned(), SystemTime::now()))?)
        });
    if let Err(error) = noted {
        log::debug!("{error:#}");
    }
}

/// `/run/webcam`, else the user's own runtime directory, else a private directory in memory. Also
/// gives what was made.
fn default_slots() -> anyhow::Result<(PathBuf, Vec<PathBuf>)> {
    for parent in shared_parents() {
        let slots = parent.join("webcam");
        let is_usable = match slots.exists() {
            true => slots.is_dir() && writable(&slots),
            false => writable(&parent),
        };
        if is_usable {
            return Ok((slots, Vec::new()));
        }
    }
    let slots = Path::new(MEMORY).join(format!("{PRIVATE}{}", std::process::id()));
    let made = DirBuilder::new().mode(0o700).create(&slots);
    made.with_context(|| {
        format!("cannot make the slots directory {slots:?}; give another with --slots DIR")
    })?;
    Ok((slots.clone(), vec![slots]))
}

/// Where an `eyelid` may have its slots that was started with a plan, here or before.
pub(crate) fn possible(plan: &Plan) -> Vec<PathBuf> {
    if let Some(slots) = &plan.slots {
        return vec![slots.clone()];
    }
    let shared = shared_parents().map(|parent| parent.join("webcam"));
    let private = fs::read_dir(MEMORY).into_iter().flatten().flatten();
    let is_private =
        |entry: &DirEntry| entry.file_name().as_bytes().starts_with(PRIVATE.as_bytes());
    let private = private.filter(is_private).map(|entry| entry.path());
    shared.chain(private).collect()
}

/// The process that has taken a directory.
pub(crate) fn taken_by(slots: &Path) -> Option<u32> {
    let claim = UnixStream::connect_addr(&claim_name(slots).ok()?).ok()?;
    let owner = getsockopt(&claim, sockopt::PeerCredentials).ok()?;
    u32::try_from(owner.pid()).ok()
}

/// Where directories of slots are looked for: the system's runtime directory, and the user's own.
pub(crate) fn shared_parents() -> impl Iterator<Item = PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    [Some(PathBuf::from("/run")), runtime].into_iter().flatten()
}

fn writable(directory: &Path) -> bool {
    access(directory, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}

/// An abstract socket (unix(7)) says that the directory is taken: it ends with the process, and
/// unlike a lock it holds no file open in the directory, which would keep inotify(7) from telling
/// of the directory's loss.
fn claim(directory: &Path) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&claim_name(directory)?)
}

/// The name of a directory's socket. Containers that share a network share these names, and mean
/// different directories by the same path.
pub(crate) fn claim_name(directory: &Path) -> io::Result<SocketAddr> {
    let directory = fs::metadata(directory)?;
    let name = format!("eyelid:{}:{}", directory.dev(), directory.ino());
    SocketAddr::from_abstract_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::Parser;

    #[test]
    fn slots_are_one_launchers_and_leave_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("webcam");
        let arguments = ["eyelid", "--slots", path.to_str().unwrap()];
        let plan = Plan::new(Arguments::parse_from(arguments)).unwrap();
        assert_eq!(taken_by(&path), None);
        let slots = Slots::take(&plan).unwrap();
        assert_eq!(taken_by(&path), Some(std::process::id()));
        let error = Slots::take(&plan).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("another eyelid") && !error.contains("os error"),
            "{error}"
        );
        fs::write(slots.path().join(eyelid_slot::FRAME_FILE), "").unwrap();
        drop(slots);
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        drop(Slots::take(&plan).unwrap());
        assert!(path.exists(), "what was there before stays");
    }
}
