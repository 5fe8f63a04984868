//! A connection on which HTTP has ended because a handler wants the socket for itself.

use std::pin::Pin;
use std::rc::Rc;

use crate::admission::Permit;
use crate::recording::head_length;
use crate::socket::Socket;

/// What is done with a connection that is taken over. It is dropped when the program is told to
/// end.
pub type TakeOver = Box<dyn FnOnce(TakenOver) -> Pin<Box<dyn Future<Output = ()>>>>;

/// A connection that was taken over.
pub struct TakenOver {
    /// The client's socket, from which the request was read and to which nothing was written in
    /// response to it.
    pub socket: Socket,
    /// What was read from it, from the request's first byte on, if that is not too much.
    pub read: Option<Vec<u8>>,
    /// Its room among the connections that this program has accepted.
    pub(crate) permit: Option<Rc<Permit>>,
}

impl TakenOver {
    /// One that no program has accepted, for tests.
    pub fn new(socket: Socket, read: Option<Vec<u8>>) -> Self {
        Self {
            socket,
            read,
            permit: None,
        }
    }

    /// Gives what was read behind the request's head: the beginning of what the client says next.
    pub fn read_behind_head(&self) -> &[u8] {
        let read = self.read.as_deref().unwrap_or_default();
        &read[head_length(read).unwrap_or(read.len())..]
    }
}
