//! Who looks at what: the list of streaming clients, and the counters of the process.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use eyelid_consumer::MeasuredRate;
use eyelid_looks::Looking;
use eyelid_slot::{CameraName, Rendition};

use crate::adapter::InEffect;

/// All streaming clients.
#[derive(Default)]
pub(crate) struct Clients {
    next: Cell<u64>,
    all: RefCell<BTreeMap<u64, Rc<Client>>>,
}

/// One streaming client.
pub(crate) struct Client {
    /// Its address, for people.
    pub(crate) address: String,
    /// Its user, where passwords are asked for.
    pub(crate) user: Option<String>,
    /// The camera it looks at.
    pub(crate) camera: CameraName,
    /// Since when.
    pub(crate) since: Instant,
    /// Bytes handed to its socket.
    pub(crate) bytes: Cell<u64>,
    /// What the last frame handed to its socket was.
    pub(crate) shown: Cell<Option<Option<Rendition>>>,
    /// What is in effect, where its stream is made to fit its link.
    pub(crate) adapted: Cell<Option<InEffect>>,
    /// Frames handed to its socket.
    pub(crate) sent: Cell<u64>,
    /// Frames it did not get because it was not done with another.
    pub(crate) skipped: Cell<u64>,
    /// Frames a second of late.
    pub(crate) rate: Cell<MeasuredRate>,
    /// What its frames are part of, if they come from here.
    look: Option<Looking>,
}

impl Clients {
    /// Enters a client; it is in the list for as long as what is returned lives.
    pub(crate) fn enter(
        self: &Rc<Self>,
        address: String,
        user: Option<String>,
        camera: CameraName,
        look: Option<Looking>,
    ) -> Entry {
        let client = Rc::new(Client {
            address,
            user,
            camera,
            since: Instant::now(),
            bytes: Cell::default(),
            shown: Cell::default(),
            adapted: Cell::default(),
            sent: Cell::default(),
            skipped: Cell::default(),
            rate: Cell::default(),
            look,
        });
        let key = self.next.replace(self.next.get() + 1);
        self.all.borrow_mut().insert(key, client.clone());
        Entry {
            clients: self.clone(),
            key,
            client,
        }
    }

    /// Gives all clients, the oldest first.
    pub(crate) fn list(&self) -> Vec<Rc<Client>> {
        self.all.borrow().values().cloned().collect()
    }
}

/// A client in the list.
pub(crate) struct Entry {
    clients: Rc<Clients>,
    key: u64,
    /// The client.
    pub(crate) client: Rc<Client>,
}

impl Client {
    /// A frame went out, or this rendition of it, after so many that were skipped.
    pub(crate) fn sent(
        &self,
        bytes: u64,
        skipped: u64,
        rendition: Option<Rendition>,
        now: Instant,
    ) {
        if self.shown.replace(Some(rendition)).is_none() {
            self.begin_look();
        }
        self.bytes.set(self.bytes.get() + bytes);
        self.sent.set(self.sent.get() + 1);
        self.skipped.set(self.skipped.get() + skipped);
        let mut rate = self.rate.get();
        rate.count(now);
        self.rate.set(rate);
    }

    /// Its first frame went. Apart, for that happens once.
    #[cold]
    fn begin_look(&self) {
        if let Some(look) = &self.look {
            look.begin();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(look) = &self.client.look {
            look.end(self.client.sent.get(), self.client.bytes.get());
        }
        self.clients.all.borrow_mut().remove(&self.key);
    }
}
