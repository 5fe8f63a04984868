//! The UDP port of all sessions, which another program may have.
//!
//! Then there is no session yet, and all else goes on. It is tried again for each who wants one,
//! and not by a timer: nothing is done while nobody comes.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;

use eyelid_daemon::udp::bind_udp;
use hyper::StatusCode;
use tokio::sync::SetOnce;

use super::udp::Udp;
use crate::signalling::Rejection;

/// The port.
pub(super) struct Port {
    address: SocketAddr,
    udp: SetOnce<Rc<Udp>>,
}

impl Port {
    /// Uses this socket; without one, tries to bind one to the address when it is wanted.
    ///
    /// # Errors
    /// The socket cannot be used.
    pub(super) fn new(socket: Option<UdpSocket>, address: SocketAddr) -> io::Result<Self> {
        let udp = socket.map(Udp::new).transpose()?.map(Rc::new);
        Ok(Self {
            address,
            udp: SetOnce::new_with(udp),
        })
    }

    /// Gives the socket.
    ///
    /// # Errors
    /// Another program has the port. Who has it is not for strangers.
    pub(super) fn get(&self) -> Result<Rc<Udp>, Rejection> {
        if let Some(udp) = self.udp.get() {
            return Ok(udp.clone());
        }
        let udp = bind_udp(self.address).and_then(Udp::new).map_err(|error| {
            let what = format!("no WebRTC: cannot use UDP {}: {error}", self.address);
            Rejection::later(StatusCode::SERVICE_UNAVAILABLE, what)
        })?;
        log::info!("UDP {} is free now: there is WebRTC", self.address);
        let udp = Rc::new(udp);
        // There was none when this began, and nobody else had a turn since.
        let _ = self.udp.set(udp.clone());
        Ok(udp)
    }

    /// Waits for the socket.
    pub(super) async fn come(&self) -> Rc<Udp> {
        self.udp.wait().await.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_port_that_another_has_is_had_when_that_is_gone() {
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap();
        let port = Port::new(None, address).unwrap();
        for _ in 0..2 {
            let rejection = port.get().unwrap_err();
            assert_eq!(rejection.status(), StatusCode::SERVICE_UNAVAILABLE);
            let what = rejection.what();
            assert!(what.contains(&address.to_string()), "{what}");
            assert!(!what.contains("pid"), "{what}");
        }
        let waits = async { timeout(Duration::from_millis(10), port.come()).await };
        assert!(waits.await.is_err());
        drop(other);
        let (come, got) = tokio::join!(port.come(), async { port.get().unwrap() });
        assert!(Rc::ptr_eq(&come, &got));
        assert_eq!(got.bound(), address);
    }
}
