//! WebRTC: all sessions, and the one UDP socket that they share.
//!
//! What comes by the socket is sorted here, by the name that a check has in it or by who sent it,
//! into the sessions' inboxes. Requests are answered in [`requests`].

mod answer;
mod checks;
mod connection;
mod handshakes;
mod inbox;
mod names;
mod port;
mod requests;
mod session;
mod set_up;
mod stun;
mod udp;

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use eyelid_slot::CameraName;
use str0m::config::{CryptoProvider, DtlsCert};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use crate::feeds::Feeds;
use crate::limits::SessionLimits;
use crate::signalling::Rejection;
use crate::signalling::credentials::Credentials;
use crate::signalling::offer::Description;
use crate::signalling::session_id::SessionId;
use handshakes::Handshakes;
use inbox::Inbox;
use port::Port;
use udp::Datagram;

/// How many addresses lead to one session. A client asks from each of its interfaces, and from
/// another when its network changes.
const ADDRESSES_EACH: usize = 8;

/// How long nothing is read after the socket has failed: it may have no memory.
const PAUSE: Duration = Duration::from_millis(100);

/// All sessions.
pub(crate) struct Peers {
    feeds: Rc<Feeds>,
    port: Port,
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    limits: Rc<SessionLimits>,
    handshakes: Rc<Handshakes>,
    table: Rc<Table>,
    /// Becomes true when sessions are to end.
    stopping: watch::Sender<bool>,
}

/// Where datagrams and requests find the sessions.
#[derive(Default)]
struct Table {
    sessions: RefCell<HashMap<SessionId, Entry>>,
    by_ufrag: RefCell<HashMap<String, SessionId>>,
    by_address: RefCell<HashMap<SocketAddr, SessionId>>,
}

/// A session as others see it.
struct Entry {
    camera: CameraName,
    /// Its name in ICE, which is its tag in HTTP, too.
    ufrag: String,
    /// The client's, once it is known.
    client_ufrag: Option<String>,
    candidates: usize,
    inbox: Rc<Inbox>,
    commands: mpsc::Sender<Command>,
    addresses: Vec<SocketAddr>,
}

/// What a request wants of a session.
enum Command {
    /// That it takes the answer to its offer.
    Answer(Box<Description>, oneshot::Sender<Result<(), Rejection>>),
    /// That ICE begins anew with a client that is called so now. What comes of it: this side's
    /// name, and a fragment for the client.
    Restart(
        Credentials,
        oneshot::Sender<Result<(String, String), Rejection>>,
    ),
    /// That it ends.
    Close,
}

/// A session's place in the table. It is gone when this is dropped.
struct Registration {
    table: Rc<Table>,
    id: SessionId,
}

impl Peers {
    /// Has no session yet. All of them come and go by this socket; without one, by one to this
    /// address, as soon as it can be had.
    ///
    /// # Errors
    /// The socket cannot be used, or OpenSSL makes no certificate.
    pub(crate) fn new(
        socket: Option<UdpSocket>,
        address: SocketAddr,
        feeds: Rc<Feeds>,
    ) -> anyhow::Result<Self> {
        let port = Port::new(socket, address).context("cannot use the UDP socket")?;
        let crypto = str0m::crypto::from_feature_flags();
        let certificate = crypto.dtls_provider.generate_certificate();
        Ok(Self {
            feeds,
            port,
            crypto: Arc::new(crypto),
            certificate: certificate.context("OpenSSL makes no certificate")?,
            limits: Rc::default(),
            handshakes: Rc::default(),
            table: Rc::default(),
            stopping: watch::Sender::new(false),
        })
    }

    /// Sorts what comes by the socket, for ever.
    pub(crate) async fn run(&self) -> Infallible {
        let udp = self.port.come().await;
        loop {
            match udp.receive().await {
                Ok(datagram) => {
                    self.table.sort(datagram);
                }
                Err(error) => {
                    log::debug!("UDP: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Has all sessions say goodbye.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

impl Table {
    /// Gives a session its place.
    fn enter(self: &Rc<Self>, id: SessionId, entry: Entry) -> Registration {
        self.by_ufrag.borrow_mut().insert(entry.ufrag.clone(), id);
        self.sessions.borrow_mut().insert(id, entry);
        Registration {
            table: self.clone(),
            id,
        }
    }

    /// Puts a datagram into its session's inbox. Says whether it is of any.
    fn sort(&self, datagram: Datagram) -> bool {
        let known = match stun::is_stun(&datagram.bytes) {
            true => stun::asked_ufrag(&datagram.bytes)
                .and_then(|ufrag| self.by_ufrag.borrow().get(ufrag).copied()),
            false => self.by_address.borrow().get(&datagram.from).copied(),
        };
        let sessions = self.sessions.borrow();
        let Some(entry) = known.and_then(|id| sessions.get(&id)) else {
            return false;
        };
        entry.inbox.push(datagram);
        true
    }
}

impl Registration {
    /// Both sides are called so now.
    fn is_called(&self, ufrag: &str, client_ufrag: String) {
        let mut sessions = self.table.sessions.borrow_mut();
        let Some(entry) = sessions.get_mut(&self.id) else {
            return;
        };
        let mut by_ufrag = self.table.by_ufrag.borrow_mut();
        by_ufrag.remove(&entry.ufrag);
        by_ufrag.insert(ufrag.to_owned(), self.id);
        entry.ufrag = ufrag.to_owned();
        entry.client_ufrag = Some(client_ufrag);
        entry.candidates = 0;
    }

    /// What comes from this address is this session's: it has shown the password from there.
    fn is_at(&self, address: SocketAddr) {
        let mut sessions = self.table.sessions.borrow_mut();
        let Some(entry) = sessions.get_mut(&self.id) else {
            return;
        };
        let mut by_address = self.table.by_address.borrow_mut();
        if by_address.insert(address, self.id) == Some(self.id) {
            return;
        }
        // It may have been another's meanwhile.
        entry.addresses.retain(|one| *one != address);
        entry.addresses.push(address);
        if entry.addresses.len() > ADDRESSES_EACH {
            let oldest = entry.addresses.remove(0);
            forget(&mut by_address, oldest, self.id);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Some(entry) = self.table.sessions.borrow_mut().remove(&self.id) else {
            return;
        };
        self.table.by_ufrag.borrow_mut().remove(&entry.ufrag);
        let mut by_address = self.table.by_address.borrow_mut();
        for address in entry.addresses {
            forget(&mut by_address, address, self.id);
        }
    }
}

/// Forgets that an address is this session's, if it is not another's by now.
fn forget(by_address: &mut HashMap<SocketAddr, SessionId>, address: SocketAddr, id: SessionId) {
    if by_address.get(&address) == Some(&id) {
        by_address.remove(&address);
    }
}

#[cfg(test)]
mod tests;
