//! Alerts as they come, by server-sent events (HTML standard, section 9.2). There is no queue: who
//! follows has a place among the arrivals, and gets the next one when its socket has taken the one
//! before.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use eyelid_http::response::{add_common_headers, head_bytes, live_headers};
use eyelid_http::{Peer, TakenOver};
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use tokio::time::timeout;

use super::followers::Follower;
use super::index::{Arrival, Since};
use super::store::Store;
use crate::alert::AlertId;

/// How often something is said where nothing happens: proxies close what is silent for a minute
/// (nginx's proxy_read_timeout, haproxy's usual `timeout server`), and phones' networks for less.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// When a browser that has lost the connection asks again, in milliseconds.
const RETRY_MS: u32 = 3000;

/// Which event a browser had last when it lost the connection.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Who follows, and from where on.
pub(super) struct Events {
    pub(super) store: Rc<Store>,
    /// What the browser had last.
    pub(super) last: Option<AlertId>,
    /// Its room.
    pub(super) follower: Follower,
    pub(super) allow_origin: Option<eyelid_config::Origin>,
}

impl Events {
    /// Sends them until the client is gone, or takes nothing for too long.
    pub(super) async fn serve(self, taken: TakenOver, peer: Peer) {
        let socket = taken.socket;
        let sending = async {
            socket.send(&head(self.allow_origin.as_ref())).await?;
            self.send_all(async |bytes: &[u8]| socket.send(bytes).await)
                .await
        };
        tokio::select! {
            ended = sending => {
                if let Err(error) = ended {
                    log::debug!("{peer}: no more events: {error}");
                }
            }
            () = socket.peer_closed() => {}
        }
        drop(self.follower);
    }

    /// Sends events by `send`, until that fails.
    async fn send_all(
        &self,
        send: impl AsyncFn(&[u8]) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let mut arrivals = self.store.arrivals();
        let (known, mut number) = self.first();
        send(format!("retry: {RETRY_MS}\n\n").as_bytes()).await?;
        if !known {
            send(event("missed", None, "{}").as_bytes()).await?;
        }
        loop {
            arrivals.borrow_and_update();
            while let Some(event) = self.next(&mut number) {
                send(event.as_bytes()).await?;
            }
            // The sender lives as long as the store.
            if timeout(HEARTBEAT, arrivals.changed()).await.is_err() {
                send(b":\n\n").await?;
            }
        }
    }

    /// Where it goes on, and whether nothing was missed before: who says nothing has just read the
    /// list, and who was told of an alert that nobody remembers is to read it.
    fn first(&self) -> (bool, u64) {
        let index = self.store.index();
        match &self.last {
            None => (true, index.now()),
            Some(last) => match index.after(last) {
                Some(number) => (true, number),
                None => (false, index.now()),
            },
        }
    }

    /// Gives the next event from this number on, which goes on.
    fn next(&self, number: &mut u64) -> Option<String> {
        loop {
            let arrival = match self.store.index().since(*number) {
                Since::Nothing => return None,
                Since::Missed(next) => {
                    *number = next;
                    return Some(event("missed", None, "{}"));
                }
                Since::Next(at, arrival) => {
                    *number = at + 1;
                    arrival.clone()
                }
            };
            if let Some(text) = self.text(&arrival) {
                return Some(text);
            }
        }
    }

    /// Says so as an event. An alert may be gone already.
    fn text(&self, arrival: &Arrival) -> Option<String> {
        let json = |id| serde_json::to_string(&self.store.alert(id).ok()?).ok();
        Some(match arrival {
            Arrival::Rules => event("rules", None, "{}"),
            Arrival::Alert(id) => event("alert", Some(id.as_str()), &json(id)?),
            Arrival::Judged(id) => event("judged", None, &json(id)?),
        })
    }
}

/// An event; `data` is on one line.
fn event(name: &str, id: Option<&str>, data: &str) -> String {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("{id}event: {name}\ndata: {data}\n\n")
}

fn head(allow_origin: Option<&eyelid_config::Origin>) -> Bytes {
    let mut headers = live_headers(HeaderValue::from_static("text/event-stream"));
    add_common_headers(&mut headers, allow_origin);
    Bytes::from(head_bytes(StatusCode::OK, &headers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use crate::page::followers::Followers;
    use std::cell::RefCell;
    use std::time::SystemTime;
    use tempfile::TempDir;

    fn put(directory: &TempDir, second: u32) -> AlertId {
        let at = format!("2026-11-28T14:00:{second:02}.000Z");
        let name = format!("{}-door-a", at.replace([':', '-'], ""));
        let alert = serde_json::json!({
            "version": 1, "id": name, "camera": "door", "rule": "a", "kind": "seen", "at": at,
            "reason": "one\n\nevent: alert\ndata: {}",
        });
        let path = directory.path().join(format!("{name}.json"));
        files::replace(&path, alert.to_string().as_bytes()).unwrap();
        name.parse().unwrap()
    }

    /// What is sent while `scenario` goes on, and until nothing has been for a moment.
    async fn sent(store: &Rc<Store>, last: Option<AlertId>, scenario: impl Future) -> String {
        let events = Events {
            store: store.clone(),
            last,
            follower: Rc::new(Followers::default()).enter(Peer::Unix).unwrap(),
            allow_origin: None,
        };
        let sent = RefCell::new(String::new());
        let sending = events.send_all(async |bytes: &[u8]| {
            sent.borrow_mut()
                .push_str(std::str::from_utf8(bytes).unwrap());
            Ok(())
        });
        tokio::select! {
            biased;
            ended = sending => ended.unwrap(),
            () = async { scenario.await; tokio::time::sleep(HEARTBEAT * 3 / 2).await } => {}
        }
        sent.into_inner()
    }

    fn names(sent: &str) -> Vec<&str> {
        let lines = sent.lines();
        lines
            .filter_map(|line| line.strip_prefix("event: "))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_is_told_of_what_is_new_and_that_somebody_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let first = put(&directory, 1);
        let path = directory.path().to_owned();
        let store = Rc::new(Store::new(path.clone(), [path.join("r"), path.join("s")]));
        let scenario = async {
            tokio::task::yield_now().await;
            let id = put(&directory, 2);
            store.index();
            store.keep(&id, "anna", SystemTime::now()).unwrap();
        };
        let told = sent(&store, None, scenario).await;
        assert_eq!(names(&told), ["alert", "judged"], "{told}");
        assert!(
            told.starts_with("retry: 3000\n\nid: 20261128T140002.000Z-door-a\n"),
            "{told}"
        );
        assert!(told.ends_with("\n\n:\n\n"), "a heartbeat: {told}");
        // Who had the first gets what came behind it, and no model's text makes an event.
        let told = sent(&store, Some(first), async {}).await;
        assert_eq!(names(&told), ["alert", "judged"], "{told}");
        let unknown = "20261128T140009.000Z-no-alert".parse().ok();
        let told = sent(&store, unknown, async {}).await;
        assert_eq!(names(&told), ["missed"], "{told}");
    }
}
