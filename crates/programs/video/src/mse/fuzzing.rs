//! What a viewer's bytes come to, without a camera.

use std::time::Instant;

use eyelid_http::{Socket, TakenOver};
use eyelid_websocket::{Ended, Handshake};
use hyper::Request;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::connection::{Connection, Event};
use super::listening::{Listening, MOST_BYTES, Said};

/// Codes with which a viewer may be sent away (RFC 6455, section 7.4.1): it broke the protocol,
/// sent what is not taken, no UTF-8, too much at once, or too often.
const CODES: [u16; 5] = [1002, 1003, 1007, 1008, 1009];

/// Listens to a viewer that sends these bytes, so many at a time, the first of them behind its
/// handshake. Gives what it said, and with which code it is sent away, if it is.
pub(crate) fn heard(bytes: &[u8], piece_bytes: usize) -> (Vec<String>, Option<u16>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        panic!("no runtime");
    };
    let mut said = Vec::new();
    let ended = runtime.block_on(listen(bytes, piece_bytes, &mut said));
    let code = ended.unwrap_or(None);
    assert!(code.is_none_or(|code| CODES.contains(&code)), "{code:?}");
    // More than may be said at once is not heard.
    assert!(said.len() <= 20, "{said:?}");
    assert!(said.iter().all(|text| text.len() <= MOST_BYTES), "{said:?}");
    (said, code)
}

/// Gives the code with which the viewer is sent away; an error is one of the system's.
async fn listen(
    bytes: &[u8],
    piece_bytes: usize,
    said: &mut Vec<String>,
) -> std::io::Result<Option<u16>> {
    let (ours, mut theirs) = UnixStream::pair()?;
    let request = Request::get("/mse")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(());
    let Ok(Ok(handshake)) = request.map(|request| Handshake::read(&request.into_parts().0, ""))
    else {
        panic!("no handshake");
    };
    let mut pieces = bytes.chunks(piece_bytes);
    let mut read = b"GET /mse HTTP/1.1\r\n\r\n".to_vec();
    read.extend_from_slice(pieces.next().unwrap_or_default());
    let taken = TakenOver::new(Socket::Unix(ours), Some(read));
    let mut connection = Connection::open(handshake, taken).await?;
    let sending = async {
        for piece in pieces {
            theirs.write_all(piece).await?;
            tokio::task::yield_now().await;
        }
        theirs.shutdown().await
    };
    let hearing = async {
        let now = Instant::now();
        let mut listening = Listening::new(now);
        loop {
            let heard = match connection.event().await {
                Ok(Event::Sent) => continue,
                Ok(Event::Text(text)) => {
                    let heard = listening.hear(Said::Text(&text), now);
                    heard.map(|_| said.push(text.to_string()))
                }
                Ok(Event::Binary) => listening.hear(Said::Binary, now).map(|_| ()),
                Ok(Event::Sign) => {
                    let heard = listening.hear(Said::Sign, now);
                    heard.map(|_| said.push(String::new()))
                }
                Err(Ended::Refused { code, .. }) => return Some(code),
                Err(_) => return None,
            };
            if let Err(unwanted) = heard {
                return Some(unwanted.code);
            }
        }
    };
    tokio::select! {
        // What else is sent by one who is sent away is not read, and may have no room.
        biased;
        code = hearing => Ok(code),
        Err(error) = sending => Err(error),
    }
}
