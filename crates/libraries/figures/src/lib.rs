//! What a program tells the server of what goes past it, for `/status` and `/metrics`: `eyelid-rtp`
//! and `eyelid-video` of what they send, `eyelid-receive` of cameras that push, `eyelid-watch` of
//! what it watches for.
//!
//! It is asked, over a Unix socket of its own ([`Answering`], [`ask`]). So nothing is written while
//! nobody asks, any number of servers may, and a program that has ended has no figures left that
//! could be taken for those of now. Asking starts nothing: the socket is the program's, and no
//! manager holds it.

mod asking;
mod push;
mod rfc3339;
mod rtp;
mod video;
mod watch;

pub use asking::{
    Answering, AskError, BindError, ask, ask_patiently, push_socket, rtp_socket, video_socket,
    watch_socket, watched_cameras,
};
pub use push::{PushFigures, without_connection};
pub use rtp::{
    DestinationFigures, ReceptionFigures, RtpFigures, SessionFigures, SessionTotals, StreamCounts,
    StreamFigures, StreamState, StreamTransport,
};
pub use video::{
    EncodeFigures, VideoFigures, ViewerCounts, ViewerFigures, ViewerTotals, ViewerWay,
};
pub use watch::{RuleFigures, WatchFigures};
