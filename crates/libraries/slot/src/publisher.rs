//! The writing side of one slot.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use nix::sys::stat::Mode;

use crate::directory::Directory;
use crate::instance::{Instance, OpenError};
use crate::table::SlotId;
use crate::watch::Hearing;
use crate::watched::Watched;
use crate::{FRAME_FILE, Reader, Rendition, RenditionSet, STATE_FILE, State, is_placeholder};

/// What lies in the place of a rendition that nobody has wished for yet;
/// `cargo run -p eyelid-picture --example card` made it.
const JPEG_PLACEHOLDER: &[u8] = include_bytes!("placeholder.jpg");

/// The name of [`Publisher::hidden_frame`].
const HIDDEN_FRAME_FILE: &str = ".current.jpg.tmp";

/// The same for planes: two by two pixels of grey.
const Y4M_PLACEHOLDER: &[u8] =
    b"YUV4MPEG2 W2 H2 F1:1 Ip A1:1 C420jpeg\nFRAME\n\x80\x80\x80\x80\x80\x80";

/// Puts frames into a slot and learns from inotify(7) when the next one is wanted. Dropping it
/// leaves the files as they are.
#[derive(Debug)]
pub struct Publisher {
    instance: Arc<Instance>,
    id: SlotId,
    directory: PathBuf,
    /// Where a frame is written before it is renamed.
    hidden_frame: PathBuf,
    state: Option<State>,
}

/// Why a frame or a state was not published. What lies in the slot is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The slot's directory is gone and could not be made again.
    #[error(transparent)]
    Slot(#[from] OpenError),
    /// The system refused, for example because the tmpfs is full.
    #[error("slot file {path:?}: {reason}")]
    Io {
        /// The file that was to be replaced.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

impl PublishError {
    /// Says whether there was no room for it.
    pub fn is_for_want_of_room(&self) -> bool {
        let is_full = |reason: &io::Error| {
            let kind = reason.kind();
            kind == io::ErrorKind::StorageFull || kind == io::ErrorKind::QuotaExceeded
        };
        matches!(self, Self::Io { reason, .. } if is_full(reason))
    }
}

impl Publisher {
    /// Opens the only slot of a process, on an inotify instance of its own. See
    /// [`Publishers::open`](crate::Publishers::open).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::new(Arc::new(Instance::new()?), directory)
    }

    pub(crate) fn new(instance: Arc<Instance>, directory: &Path) -> Result<Self, OpenError> {
        let publisher = Self {
            id: instance.add(),
            instance,
            hidden_frame: directory.join(HIDDEN_FRAME_FILE),
            directory: directory.to_owned(),
            state: None,
        };
        publisher.claim()?;
        Ok(publisher)
    }

    /// Replaces the frame in the slot. `captured` becomes its mtime.
    ///
    /// # Errors
    /// See [`PublishError`]; the old frame then still lies there.
    pub fn publish(&mut self, jpeg: &[u8], captured: SystemTime) -> Result<(), PublishError> {
        self.publish_heard(jpeg, captured, Hearing::AtOnce)
    }

    /// The same, for who says when it is to be known what readers do with the frame: a producer
    /// that has nothing to answer them with before its next frame comes need not be woken until
    /// then. Of other files of the slot it is always known at once.
    ///
    /// # Errors
    /// See [`PublishError`]; the old frame then still lies there.
    pub fn publish_heard(
        &mut self,
        jpeg: &[u8],
        captured: SystemTime,
        hearing: Hearing,
    ) -> Result<(), PublishError> {
        self.publish_file(None, hearing, jpeg, captured)
    }

    /// From now on it is known at once what readers do with the frame that lies in the slot. Says
    /// whether that was not so: what they did before is taken in then.
    ///
    /// # Errors
    /// What read(2) said.
    pub fn hear_at_once(&mut self, now: Instant) -> io::Result<bool> {
        self.instance.hear_at_once(self.id, &self.directory, now)
    }

    /// Offers a rendition from now on: only a file that is there can be opened, which is the wish
    /// for it. So a small placeholder is put into its place, dated 1 January 1970: nobody takes it
    /// for an answer.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn offer(&mut self, rendition: Rendition) -> Result<(), PublishError> {
        let placeholder = match rendition {
            Rendition::Y4m => Y4M_PLACEHOLDER,
            _ => JPEG_PLACEHOLDER,
        };
        self.publish_rendition(rendition, placeholder, SystemTime::UNIX_EPOCH)
    }

    /// Puts a small placeholder into the frame's place, dated 1 January 1970: nobody takes it for
    /// an answer, and who opens it is seen. So a camera that has no frame yet, or has been asleep
    /// for long, is wished for by its own readers and by nobody else, and its last frame takes no
    /// room.
    ///
    /// # Errors
    /// See [`PublishError`]; what lay there still does.
    pub fn offer_frame(&mut self) -> Result<(), PublishError> {
        let before = self.instance.with(self.id, |slot| slot.frame());
        self.publish(JPEG_PLACEHOLDER, SystemTime::UNIX_EPOCH)?;
        self.instance
            .with(self.id, |slot| slot.is_placeholder_of(before));
        Ok(())
    }

    /// Says whether a placeholder lies in the frame's place, whoever has put it there. Nobody hears
    /// of this look.
    pub fn holds_placeholder(&self) -> bool {
        let captured = Reader::new(&self.directory).captured();
        captured.is_some_and(is_placeholder)
    }

    /// Says whether readers are only assumed: none has opened the frame, or a rendition, since it
    /// was published, but they cannot be seen where no frame lies, or the producer has just
    /// started, or the kernel lost count. As far as was taken in.
    pub fn is_wish_assumed(&self) -> bool {
        self.instance.with(self.id, |slot| slot.is_assumed())
    }

    /// Offers a rendition no longer, and removes its file.
    pub fn withdraw(&mut self, rendition: Rendition) {
        self.instance.withdraw(self.id, rendition);
        // It may be gone already, with its directory even.
        let _ = Directory::open(&self.directory)
            .and_then(|directory| directory.remove(rendition.file()));
    }

    /// Replaces the file of a rendition. `captured` becomes its mtime, and is that of the frame
    /// where both are of one exposure.
    ///
    /// # Errors
    /// See [`PublishError`]; the old file then still lies there.
    pub fn publish_rendition(
        &mut self,
        rendition: Rendition,
        contents: &[u8],
        captured: SystemTime,
    ) -> Result<(), PublishError> {
        self.publish_file(Some(rendition), Hearing::AtOnce, contents, captured)
    }

    fn publish_file(
        &self,
        rendition: Option<Rendition>,
        hearing: Hearing,
        contents: &[u8],
        captured: SystemTime,
    ) -> Result<(), PublishError> {
        let name = rendition.map_or(FRAME_FILE, Rendition::file);
        self.replace(name, hearing, contents, |file, hidden, rename| {
            file.set_modified(captured)?;
            let place = || self.directory.join(name);
            self.instance
                .publish(self.id, rendition, hearing, hidden, place, rename)
        })
    }

    /// Replaces `state.json`, if `state` says anything new or what was written does not lie there
    /// any more. Says whether it did.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn set_state(&mut self, state: &State) -> Result<bool, PublishError> {
        if self.state.as_ref() == Some(state) && !self.has_lost_state() {
            return Ok(false);
        }
        let hearing = Hearing::AtOnce;
        self.replace(STATE_FILE, hearing, &state.to_json(), |_, _, rename| {
            let place = self.directory.join(STATE_FILE);
            self.instance.publish_state(self.id, &place, rename)
        })?;
        self.state = Some(state.clone());
        Ok(true)
    }

    /// Says whether the state that was written last may not lie in the slot any more, as far as was
    /// taken in.
    pub fn has_lost_state(&self) -> bool {
        self.instance.with(self.id, |slot| slot.state_is_stale())
    }

    /// Takes in what happened to this slot, and to all others of the same
    /// [`Publishers`](crate::Publishers), since the last call, without waiting. The publisher's
    /// descriptor, which is theirs, is readable when something has happened.
    ///
    /// # Errors
    /// What read(2) said.
    pub fn take_in(&self, now: Instant) -> io::Result<()> {
        self.instance.take_in(now).map(drop)
    }

    /// Which of the slots of its [`Publishers`](crate::Publishers) it has.
    pub fn id(&self) -> SlotId {
        self.id
    }

    /// Says whether the next frame is wanted, as far as was taken in.
    pub fn wished(&self, now: Instant) -> bool {
        self.instance.with(self.id, |slot| slot.wished(now))
    }

    /// The renditions that are offered and wished for, as far as was taken in.
    pub fn wished_renditions(&self, now: Instant) -> RenditionSet {
        self.instance
            .with(self.id, |slot| slot.wished_renditions(now))
    }

    /// The renditions that are offered, but whose files somebody has removed, as far as was taken
    /// in. Nobody can wish for them until they are offered again.
    pub fn missing_renditions(&self) -> RenditionSet {
        self.instance
            .with(self.id, |slot| slot.missing_renditions())
    }

    /// Says whether anybody has opened the frame, or a rendition that is offered, since it was
    /// published, as far as was taken in.
    pub fn noticed(&self) -> bool {
        self.instance.with(self.id, |slot| slot.noticed())
    }

    /// When [`Publisher::wished`] may become true, or [`Publisher::wished_renditions`] more,
    /// although nothing happens.
    pub fn deadline(&self) -> Option<Instant> {
        self.instance.with(self.id, |slot| slot.deadline())
    }

    /// Says whether anything has been done to the slot, by a reader or otherwise, since this was
    /// asked last.
    pub fn take_activity(&mut self) -> bool {
        self.instance.with(self.id, |slot| slot.take_activity())
    }

    /// Says whether somebody has taken the frame or the state from its place, or put a file of
    /// their own there, since this was asked last, as far as was taken in.
    pub fn take_replacement(&mut self) -> bool {
        self.instance.with(self.id, |slot| slot.take_replacement())
    }

    /// Says whether the slot's directory was lost since this was asked last. It is made again with
    /// the next frame or state.
    pub fn take_loss(&mut self) -> bool {
        self.instance.with(self.id, |slot| slot.take_loss())
    }

    /// Says whether no frame lies in the slot, as far as was taken in: nobody can open it then.
    /// Nobody hears of this look.
    pub fn is_empty(&self) -> bool {
        // Of the loss of a frame that is watched inotify tells.
        !self.instance.with(self.id, |slot| slot.watches_frame())
            && self.directory.join(FRAME_FILE).symlink_metadata().is_err()
    }

    /// The slot's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn claim(&self) -> Result<(), OpenError> {
        self.instance.claim(self.id, &self.directory)
    }

    /// Replaces one of the slot's files. A directory that is found missing, or replaced, is made
    /// again, once: inotify does not tell of its loss while any file in it is still open somewhere.
    fn replace(
        &self,
        name: &str,
        hearing: Hearing,
        contents: &[u8],
        finish: impl Fn(&File, &Path, &dyn Fn() -> io::Result<()>) -> io::Result<()>,
    ) -> Result<(), PublishError> {
        self.claim()?;
        let mut result = self.rename_into_place(name, hearing, contents, &finish);
        if result.as_ref().is_err_and(|e| {
            matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            )
        }) {
            self.instance.let_go(self.id);
            self.claim()?;
            result = self.rename_into_place(name, hearing, contents, &finish);
        }
        result.map_err(|reason| PublishError::Io {
            path: self.directory.join(name),
            reason,
        })
    }

    /// Writes a hidden file, and has `finish` complete it and rename it over `name`.
    fn rename_into_place(
        &self,
        name: &str,
        hearing: Hearing,
        contents: &[u8],
        finish: &impl Fn(&File, &Path, &dyn Fn() -> io::Result<()>) -> io::Result<()>,
    ) -> io::Result<()> {
        let directory = self.open_directory(hearing)?;
        let (hidden_name, hidden) = self.hidden(name);
        let renamed = create_anew(&directory, &hidden_name).and_then(|mut file| {
            file.write_all(contents)?;
            finish(&file, &hidden, &|| directory.rename(&hidden_name, name))
        });
        match renamed {
            // That it is watched by its path has shown that this leads to the same directory.
            Ok(()) if hearing == Hearing::WhenAsked => {
                self.instance
                    .with(self.id, |slot| slot.keep_open(directory));
            }
            Ok(()) => {}
            // Whatever is left of it is of no use; there may be nothing.
            Err(_) => drop(directory.remove(&hidden_name)),
        }
        renamed
    }

    fn open_directory(&self, hearing: Hearing) -> io::Result<Directory> {
        let open = match hearing {
            Hearing::WhenAsked => self.instance.with(self.id, Watched::take_open_directory),
            Hearing::AtOnce => None,
        };
        open.map_or_else(|| Directory::open(&self.directory), Ok)
    }

    /// The name and the path of the file that is written before it is renamed to this name.
    fn hidden(&self, name: &str) -> (Cow<'static, str>, Cow<'_, Path>) {
        if name == FRAME_FILE {
            return (HIDDEN_FRAME_FILE.into(), Cow::from(&self.hidden_frame));
        }
        let hidden = format!(".{name}.tmp");
        let path = self.directory.join(&hidden);
        (hidden.into(), path.into())
    }
}

impl AsFd for Publisher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.instance.as_fd()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.instance.remove(self.id);
    }
}

/// Creates a file that nobody else has open: what a producer before us left under this name is
/// removed, not reused.
fn create_anew(directory: &Directory, name: &str) -> io::Result<File> {
    let mode = Mode::from_bits_truncate(0o644);
    match directory.create(name, mode) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            directory.remove(name)?;
            directory.create(name, mode)
        }
        result => result,
    }
}
