//! Telling stand-ins of ntfy and of webhooks, and commands.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::{Instant, UNIX_EPOCH};

use eyelid_config::HttpUrl;

use super::*;
use crate::alert::{Alert, Kind};
use crate::moment::Moment;

/// Only a hang takes as long.
const DEADLINE: Duration = Duration::from_secs(30);

/// What came to a stand-in.
#[derive(Debug)]
struct Received {
    line: String,
    head: String,
    body: Vec<u8>,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A server that gives these answers, one a connection, and then the last one for ever.
fn stand_in(answers: &'static [&'static str]) -> (String, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let last = answers.last().unwrap();
        for answer in answers.iter().chain(std::iter::repeat(last)) {
            let Ok((socket, _)) = listener.accept() else {
                return;
            };
            let Some(received) = receive(&socket) else {
                continue;
            };
            if sender.send(received).is_err() {
                return;
            }
            let _ = write!(&socket, "HTTP/1.1 {answer}\r\nConnection: close\r\n\r\n");
        }
    });
    (url, receiver)
}

fn receive(socket: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(socket);
    let (mut line, mut head) = (String::new(), String::new());
    reader.read_line(&mut line).ok()?;
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|read| *read > 0)?;
    }
    let mut received = Received {
        line: line.trim_end().to_owned(),
        head,
        body: Vec::new(),
    };
    let length = received
        .header("content-length")
        .unwrap_or("0")
        .parse()
        .ok()?;
    received.body = vec![0; length];
    reader.read_exact(&mut received.body).ok()?;
    Some(received)
}

fn settings(name: &str, way: Way) -> NotifySettings {
    NotifySettings {
        name: name.to_owned(),
        way,
        key_file: None,
        picture: true,
        click: Some("http://127.0.0.1:8080/alerts".parse().unwrap()),
        priority: None,
        within: Duration::from_secs(3600),
    }
}

fn url(base: &str, path: &str) -> HttpUrl {
    format!("{base}{path}").parse().unwrap()
}

/// A directory with alerts, an outbox, and ways that tell of them.
struct Telling {
    directory: tempfile::TempDir,
    settings: Vec<NotifySettings>,
    outbox: Arc<Mutex<Outbox>>,
    notifier: Option<Notifier>,
}

impl Telling {
    fn new(settings: Vec<NotifySettings>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let outbox = open(directory.path(), &settings);
        Self {
            directory,
            settings,
            outbox,
            notifier: None,
        }
    }

    fn start(&mut self) {
        self.outbox = open(self.directory.path(), &self.settings);
        let (outbox, alerts) = (self.outbox.clone(), self.directory.path());
        let camera = "door".parse().unwrap();
        let clock = Arc::new(LocalClock::berlin());
        let notifier = Notifier::start(&camera, (&self.settings, None), outbox, alerts, clock);
        self.notifier = Some(notifier.unwrap());
    }

    fn stop(&mut self) {
        self.notifier = None;
    }

    fn put(&self, second: u64) -> Alert {
        let at = UNIX_EPOCH + Duration::from_secs(1_790_000_000 + second);
        let mut alert = Alert::new("door".parse().unwrap(), "parcel", Kind::Seen, at);
        alert.picture = true;
        let picture = alerts_picture(self.directory.path(), &alert);
        std::fs::write(picture, b"\xff\xd8jpeg").unwrap();
        let ways: Vec<_> = self.settings.iter().map(|way| way.name.clone()).collect();
        let mut outbox = self.outbox.lock().unwrap();
        let (new, written) = outbox.write(&alert, &ways, Moment::now());
        written.unwrap();
        outbox.add(new);
        drop(outbox);
        if let Some(notifier) = &self.notifier {
            notifier.wake();
        }
        alert
    }

    fn wait_for_count(&self, count: usize) {
        let begin = Instant::now();
        while self.outbox.lock().unwrap().count() != count {
            assert!(begin.elapsed() < DEADLINE, "{:?}", self.outbox);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn open(directory: &Path, settings: &[NotifySettings]) -> Arc<Mutex<Outbox>> {
    let ways: Vec<_> = settings.iter().map(|way| way.name.clone()).collect();
    let outbox = Outbox::open(directory.join("outbox"), "b", &ways).unwrap();
    Arc::new(Mutex::new(outbox))
}

fn alerts_picture(directory: &Path, alert: &Alert) -> PathBuf {
    crate::alerts::picture_path(directory, &alert.id)
}

#[test]
fn ntfy_gets_the_picture_with_headers_and_words() {
    let (base, received) = stand_in(&["200 OK\r\nContent-Length: 0"]);
    let mut telling = Telling::new(vec![settings("phone", Way::Ntfy(url(&base, "/topic")))]);
    let key = telling.directory.path().join("key");
    std::fs::write(&key, "tk_secret\n").unwrap();
    telling.settings[0].key_file = Some(key);
    telling.start();
    let alert = telling.put(1);
    let got = received.recv_timeout(DEADLINE).unwrap();
    assert_eq!(got.line, "PUT /topic HTTP/1.1");
    assert_eq!(got.body, b"\xff\xd8jpeg");
    for (name, value) in [
        ("title", "door: parcel"),
        ("tags", "eyes"),
        ("priority", "4"),
        ("click", "http://127.0.0.1:8080/alerts"),
        ("filename", &format!("{}.jpg", alert.id)),
        ("authorization", "Bearer tk_secret"),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    assert_eq!(got.header("message"), Some("It is seen. 16:13:21 CEST"));
    telling.wait_for_count(0);
}

#[test]
fn a_webhook_gets_the_alert_and_the_same_name_at_each_try() {
    let (base, received) = stand_in(&[
        "500 Internal Server Error\r\nContent-Length: 0",
        "404 Not Found\r\nContent-Length: 0",
        "204 No Content",
    ]);
    let mut telling = Telling::new(vec![settings("home", Way::Webhook(url(&base, "/hook")))]);
    telling.start();
    let alert = telling.put(1);
    for _ in 0..3 {
        let got = received.recv_timeout(DEADLINE).unwrap();
        assert_eq!(got.line, "POST /hook HTTP/1.1");
        assert_eq!(got.header("idempotency-key"), Some(alert.id.as_str()));
        let json = got.json();
        assert_eq!(
            (&json["rule"], &json["title"]),
            (&"parcel".into(), &"door: parcel".into())
        );
        assert_eq!(json["jpeg_base64"], "/9hqcGVn");
    }
    telling.wait_for_count(0);
    assert!(
        received.recv_timeout(Duration::from_millis(200)).is_err(),
        "told once"
    );
}

#[test]
fn words_say_the_time_by_the_clock_on_the_wall_and_json_by_utc() {
    let (base, received) = stand_in(&["204 No Content"]);
    let mut telling = Telling::new(vec![settings("home", Way::Webhook(url(&base, "/hook")))]);
    telling.start();
    telling.put(1);
    let json = received.recv_timeout(DEADLINE).unwrap().json();
    assert_eq!(json["text"], "It is seen. 16:13:21 CEST");
    assert_eq!(json["at"], "2026-09-21T14:13:21.000Z");
    // A reload finds the machine in another zone.
    let notifier = telling.notifier.as_ref().unwrap();
    notifier.set_clock(Arc::new(LocalClock::utc()));
    telling.put(2);
    let json = received.recv_timeout(DEADLINE).unwrap().json();
    assert_eq!(json["text"], "It is seen. 14:13:22 UTC");
}

#[test]
fn who_asks_for_a_pause_gets_it() {
    let (base, received) = stand_in(&[
        "429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0",
        "200 OK\r\nContent-Length: 0",
    ]);
    let mut telling = Telling::new(vec![settings("home", Way::Webhook(url(&base, "/hook")))]);
    telling.start();
    telling.put(1);
    received.recv_timeout(DEADLINE).unwrap();
    let begin = Instant::now();
    received.recv_timeout(DEADLINE).unwrap();
    assert!(begin.elapsed() > Duration::from_millis(900));
}

#[test]
fn a_picture_that_is_not_taken_is_left_out_and_what_is_never_taken_dropped() {
    let (base, received) = stand_in(&[
        "413 Payload Too Large\r\nContent-Length: 0",
        "200 OK\r\nContent-Length: 0",
        "400 Bad Request\r\nContent-Length: 0",
    ]);
    let mut telling = Telling::new(vec![settings("phone", Way::Ntfy(url(&base, "/topic")))]);
    telling.start();
    telling.put(1);
    let with = received.recv_timeout(DEADLINE).unwrap();
    assert_eq!(with.body, b"\xff\xd8jpeg");
    let without = received.recv_timeout(DEADLINE).unwrap();
    assert!(without.header("filename").is_none());
    assert!(without.body.ends_with(b"16:13:21 CEST"), "{without:?}");
    telling.wait_for_count(0);
    telling.put(2);
    telling.wait_for_count(0);
}

#[test]
fn a_way_that_hangs_holds_up_neither_another_nor_the_end() {
    // It takes connections, and says nothing.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}", dead.local_addr().unwrap());
    let (base, received) = stand_in(&["200 OK\r\nContent-Length: 0"]);
    let mut telling = Telling::new(vec![
        settings("dead", Way::Webhook(url(&dead, "/hook"))),
        settings("home", Way::Webhook(url(&base, "/hook"))),
    ]);
    telling.start();
    for second in 0..5 {
        telling.put(second);
        received.recv_timeout(DEADLINE).unwrap();
    }
    let begin = Instant::now();
    telling.stop();
    assert!(begin.elapsed() < FAREWELL + Duration::from_secs(5));
    assert_eq!(telling.outbox.lock().unwrap().count(), 5);
}

/// A server that takes each request at once, and answers the next when it is told to.
fn patient_stand_in() -> (String, Receiver<Received>, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    let (waiting, sockets) = mpsc::channel::<TcpStream>();
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let received = receive(&socket).unwrap();
            if sender.send(received).is_err() || waiting.send(socket).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (socket, ()) in sockets.iter().zip(answers) {
            let _ = write!(&socket, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        }
    });
    (url, receiver, answer)
}

#[test]
fn who_is_just_being_told_is_not_told_again_by_a_reload() {
    let (base, received, answer) = patient_stand_in();
    let mut telling = Telling::new(vec![settings("home", Way::Webhook(url(&base, "/hook")))]);
    telling.start();
    telling.put(1);
    received.recv_timeout(DEADLINE).unwrap();
    telling.settings[0].picture = false;
    let notifier = telling.notifier.as_mut().unwrap();
    notifier.reconfigure(&telling.settings, None).unwrap();
    // A way begins within milliseconds.
    assert!(received.recv_timeout(Duration::from_millis(500)).is_err());
    answer.send(()).unwrap();
    telling.wait_for_count(0);
    let next = telling.put(2);
    let got = received.recv_timeout(DEADLINE).unwrap();
    assert_eq!(got.json()["id"], next.id.as_str());
    answer.send(()).unwrap();
    telling.wait_for_count(0);
}

#[test]
fn ways_that_cannot_be_leave_those_that_are() {
    let (base, received) = stand_in(&["200 OK\r\nContent-Length: 0"]);
    let mut telling = Telling::new(vec![settings("home", Way::Webhook(url(&base, "/hook")))]);
    telling.start();
    let mut wrong = telling.settings.clone();
    // Nothing is sent behind a `#`.
    wrong[0].way = Way::Webhook(url(&base, "/hook#there"));
    let notifier = telling.notifier.as_mut().unwrap();
    assert!(notifier.reconfigure(&wrong, None).is_err());
    let alert = telling.put(1);
    let got = received.recv_timeout(DEADLINE).unwrap();
    assert_eq!(got.json()["id"], alert.id.as_str());
}

#[test]
fn what_was_not_taken_is_told_after_a_restart() {
    let (base, received) = stand_in(&["503 Unavailable\r\nContent-Length: 0\r\nRetry-After: 3600"]);
    let mut telling = Telling::new(vec![settings("home", Way::Webhook(url(&base, "/hook")))]);
    telling.start();
    let alerts = [telling.put(1), telling.put(2)];
    received.recv_timeout(DEADLINE).unwrap();
    telling.stop();
    let (base, received) = stand_in(&["200 OK\r\nContent-Length: 0"]);
    telling.settings = vec![settings("home", Way::Webhook(url(&base, "/hook")))];
    telling.start();
    for alert in alerts {
        let got = received.recv_timeout(DEADLINE).unwrap();
        assert_eq!(got.json()["id"], alert.id.as_str());
    }
    telling.wait_for_count(0);
}

#[test]
fn ntfy_is_asked_before_it_is_told_what_it_may_have() {
    // The first connection ends without an answer: it may have been taken. It is asked then.
    let (base, received) = stand_in(&["", "200 OK\r\n\r\n{\"title\":\"door: parcel\"}"]);
    let mut telling = Telling::new(vec![settings("phone", Way::Ntfy(url(&base, "/topic")))]);
    telling.start();
    telling.put(1);
    assert!(
        received
            .recv_timeout(DEADLINE)
            .unwrap()
            .line
            .starts_with("PUT /topic")
    );
    let asked = received.recv_timeout(DEADLINE).unwrap();
    assert!(
        asked.line.starts_with("GET /topic/json?poll=1&since=600s"),
        "{}",
        asked.line
    );
    // Its answer names another text, so it is sent again.
    assert!(
        received
            .recv_timeout(DEADLINE)
            .unwrap()
            .line
            .starts_with("PUT /topic")
    );
    telling.wait_for_count(0);
}

#[test]
fn a_command_gets_the_alert_and_no_part_of_it_becomes_the_command() {
    let mut telling = Telling::new(Vec::new());
    let said = telling.directory.path().join("said");
    let line = format!(
        "cat > {0}.json; printf '%s' \"$EYELID_TEXT|$EYELID_KIND|$EYELID_AGAIN|\" > {0}; cat \"$EYELID_PICTURE\" >> {0}",
        said.display()
    );
    telling.settings = vec![settings("script", Way::Command(line))];
    telling.start();
    let at = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let mut alert = Alert::new("door".parse().unwrap(), "parcel", Kind::Seen, at);
    alert.reason = Some("$(touch /tmp/x); `id` \"; rm -rf '".to_owned());
    alert.picture = true;
    std::fs::write(alerts_picture(telling.directory.path(), &alert), b"jpeg").unwrap();
    let mut outbox = telling.outbox.lock().unwrap();
    let (new, _) = outbox.write(&alert, &["script".to_owned()], Moment::now());
    outbox.add(new);
    drop(outbox);
    telling.notifier.as_ref().unwrap().wake();
    telling.wait_for_count(0);
    let text = text::text(&alert, &LocalClock::berlin());
    let got = std::fs::read_to_string(&said).unwrap();
    assert_eq!(got, format!("{text}|seen||jpeg"));
    let json = std::fs::read(said.with_extension("json")).unwrap();
    assert_eq!(Alert::parse(&json).unwrap(), alert);
}

#[test]
fn a_command_that_fails_is_run_again_and_what_it_leaves_behind_is_ended() {
    let mut telling = Telling::new(Vec::new());
    let count = telling.directory.path().join("count");
    let path = count.display();
    let line = format!(
        "echo x >> {path}; sleep 1000 & yes | head -c 1000000; test $(wc -l < {path}) -ge 3"
    );
    telling.settings = vec![settings("script", Way::Command(line))];
    telling.start();
    telling.put(1);
    telling.wait_for_count(0);
    assert_eq!(std::fs::read_to_string(&count).unwrap(), "x\nx\nx\n");
}
