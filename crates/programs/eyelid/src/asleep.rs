//! What lies in a slot while its camera's program does not run: a card that says so. Whoever opens
//! it wakes that camera.
//!
//! Only a file that is there can be opened, and only that is heard of (inotify(7)). What the camera
//! left is no answer to who comes much later, so the card takes its place. It is dated 1970: who
//! looks at the date, as docs/slot.md has it, takes it for the old frame that it is, and waits for
//! the next. Whoever opens it has it taken away before the camera's program starts, which takes an
//! empty slot for a wish. Where all programs start for a connection, the other cards are left to
//! them: they see from then on who opens what lies there, and their cameras sleep until somebody
//! does.
//!
//! Cameras that push have none. Who opens their frames cannot make them come, and what they pushed
//! last, with its own date, is what there is of them: a time-lapse camera sleeps for hours.

use std::future::poll_fn;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::{Instant, SystemTime};
use std::{fs, io};

use eyelid_daemon::readiness;
use eyelid_slot::{FRAME_FILE, Publisher, Rendition};
use tokio::io::unix::AsyncFd;

/// The card; `cargo run -p eyelid-picture --example card` made it.
const CARD: &[u8] = include_bytes!("asleep.jpg");

/// The slots in which cards lie.
#[derive(Default)]
pub(crate) struct Asleep(Vec<Lying>);

struct Lying {
    slot: PathBuf,
    publisher: Publisher,
    heard: AsyncFd<OwnedFd>,
    /// It is another program's from now on.
    is_left: bool,
}

impl Asleep {
    /// Has a card lie in each of these slots, and in no other. One that lies there already stays:
    /// somebody may have opened it, who has not been heard yet. Where none can be laid, only a
    /// connection wakes the camera.
    pub(crate) fn lay(&mut self, slots: &[&Path]) {
        self.keep(slots);
        for slot in slots {
            if self.0.iter().any(|lying| lying.slot == **slot) {
                continue;
            }
            match Lying::new(slot) {
                Ok(lying) => self.0.push(lying),
                Err(error) => log::debug!("slot {slot:?} has no card: {error}"),
            }
        }
    }

    /// Takes away the cards that lie in other slots than these.
    pub(crate) fn keep(&mut self, slots: &[&Path]) {
        self.0.retain(|lying| slots.contains(&&*lying.slot));
    }

    /// Leaves the cards to the programs that start now. One that somebody has opened is taken away,
    /// though nobody has heard of it yet.
    pub(crate) fn leave(&mut self) {
        for lying in &mut self.0 {
            let is_heard = lying.publisher.take_in(Instant::now()).is_ok();
            lying.is_left = is_heard && !lying.publisher.noticed();
        }
        self.0.clear();
    }

    /// Waits until somebody opens a card, takes it away, and gives the slot. A card or a slot that
    /// is taken away is wished for as well.
    ///
    /// # Errors
    /// What the runtime said.
    pub(crate) async fn opened(&mut self) -> io::Result<PathBuf> {
        let index = poll_fn(|cx| {
            for (index, lying) in self.0.iter_mut().enumerate() {
                while let Poll::Ready(ready) = lying.heard.poll_read_ready(cx) {
                    ready?.clear_ready();
                    lying.publisher.take_in(Instant::now())?;
                    if lying.publisher.noticed() {
                        return Poll::Ready(io::Result::Ok(index));
                    }
                }
            }
            Poll::Pending
        })
        .await?;
        Ok(self.0.swap_remove(index).slot.clone())
    }
}

impl Lying {
    fn new(slot: &Path) -> anyhow::Result<Self> {
        let mut publisher = Publisher::open(slot)?;
        publisher.publish(CARD, SystemTime::UNIX_EPOCH)?;
        // Those that the camera offered: who wishes for one wakes it as well.
        for rendition in Rendition::ALL {
            if slot.join(rendition.file()).exists() {
                publisher.offer(rendition)?;
            }
        }
        Ok(Self {
            slot: slot.to_owned(),
            heard: readiness::readable(publisher.as_fd().try_clone_to_owned()?)?,
            publisher,
            is_left: false,
        })
    }
}

impl Drop for Lying {
    fn drop(&mut self) {
        if !self.is_left {
            // Somebody else may have taken it away.
            let _ = fs::remove_file(self.slot.join(FRAME_FILE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    use tokio::time::timeout;

    #[test]
    fn the_card_is_a_whole_picture() {
        let (header, end) = eyelid_jpeg::whole(CARD).unwrap();
        assert_eq!((header.width, header.height, end), (640, 480, CARD.len()));
    }

    #[tokio::test]
    async fn opening_a_rendition_that_the_camera_offered_wakes_it() {
        let home = tempfile::tempdir().unwrap();
        let slot = home.path().to_owned();
        let (half, low) = (Rendition::Half.file(), Rendition::Low.file());
        fs::write(slot.join(half), "what a camera made").unwrap();
        let mut asleep = Asleep::default();
        asleep.lay(&[&slot]);
        assert!(!slot.join(low).exists(), "it was not offered");
        let dated = fs::metadata(slot.join(half)).unwrap().modified().unwrap();
        assert_eq!(dated, SystemTime::UNIX_EPOCH);
        drop(File::open(slot.join(half)).unwrap());
        assert_eq!(asleep.opened().await.unwrap(), slot);
    }

    #[tokio::test]
    async fn opening_the_card_wakes_and_looking_at_its_date_does_not() {
        let home = tempfile::tempdir().unwrap();
        let slots = [home.path().join("a"), home.path().join("b")];
        let mut asleep = Asleep::default();
        asleep.lay(&[&slots[0], &slots[1]]);
        let card = slots[1].join(FRAME_FILE);
        let dated = fs::metadata(&card).unwrap().modified().unwrap();
        assert_eq!(dated, SystemTime::UNIX_EPOCH);
        fs::read_dir(&slots[1]).unwrap().for_each(drop);
        for lying in &mut asleep.0 {
            lying.publisher.take_in(Instant::now()).unwrap();
            assert!(!lying.publisher.noticed());
        }
        let open = File::open(&card).unwrap();
        assert_eq!(asleep.opened().await.unwrap(), slots[1]);
        drop(open);
        assert!(!card.exists(), "it is taken away before a program starts");
        let other = slots[0].join(FRAME_FILE);
        assert!(other.exists(), "the other camera sleeps on");
        drop(File::open(&other).unwrap());
        assert_eq!(asleep.opened().await.unwrap(), slots[0]);
        assert!(asleep.0.is_empty());
    }

    #[tokio::test]
    async fn a_look_is_heard_although_cards_are_laid_anew_meanwhile() {
        let home = tempfile::tempdir().unwrap();
        let slots = ["opened", "removed", "new"].map(|name| home.path().join(name));
        let mut asleep = Asleep::default();
        asleep.lay(&[&slots[0], &slots[1]]);
        let cards = slots.each_ref().map(|slot| slot.join(FRAME_FILE));
        drop(File::open(&cards[0]).unwrap());
        drop(File::open(&cards[1]).unwrap());
        asleep.lay(&[&slots[2], &slots[0]]);
        assert!(!cards[1].exists(), "its camera is gone, or runs");
        let opened = timeout(Duration::from_secs(10), asleep.opened()).await;
        assert_eq!(opened.expect("a look that is heard").unwrap(), slots[0]);
        assert!(!cards[0].exists() && cards[2].exists());
        drop(File::open(&cards[2]).unwrap());
        assert_eq!(asleep.opened().await.unwrap(), slots[2]);
        assert!(asleep.0.is_empty());
    }

    #[tokio::test]
    async fn cards_are_left_to_the_programs_but_those_that_were_opened() {
        let home = tempfile::tempdir().unwrap();
        let slots = ["opened", "not"].map(|name| home.path().join(name));
        let mut asleep = Asleep::default();
        asleep.lay(&[&slots[0], &slots[1]]);
        let cards = slots.each_ref().map(|slot| slot.join(FRAME_FILE));
        drop(File::open(&cards[0]).unwrap());
        asleep.leave();
        assert!(!cards[0].exists() && cards[1].exists());
        asleep.lay(&[&slots[0], &slots[1]]);
        drop(asleep);
        assert!(cards.iter().all(|card| !card.exists()));
    }
}
