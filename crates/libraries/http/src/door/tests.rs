//! Who may come in, request by request.

use std::pin::pin;

use hyper::Request;
use hyper::header::{HOST, HeaderName, ORIGIN};
use tokio::time::timeout;

use super::*;

const ADDRESS: &str = "192.0.2.1:8080";

/// anna:secret, as browsers send it.
const RIGHT: &str = "Basic YW5uYTpzZWNyZXQ=";

fn door(options: ServeOptions) -> Door {
    let advice = Advice {
        program: "eyelid-server".to_owned(),
        has_file: false,
    };
    Door::new(options, advice, 1024).unwrap()
}

fn locked() -> ServeOptions {
    ServeOptions {
        allow_origin: Some("http://friend.example".parse().unwrap()),
        password: Some(Password::Environment("anna:secret".to_owned())),
        ..ServeOptions::default()
    }
}

fn peer() -> Peer {
    Peer::Tcp("192.0.2.7:1000".parse().unwrap())
}

/// A request with these headers.
fn request(method: Method, headers: &[(HeaderName, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

async fn rejected(door: &Door, request: &Parts, methods: Methods) -> Option<StatusCode> {
    match door.check(request, peer(), methods).await {
        Checked::Admitted(_) => None,
        Checked::Rejected(response) => Some(response.status()),
    }
}

#[tokio::test]
async fn what_changes_something_is_for_those_who_take_it() {
    let door = door(ServeOptions::default());
    for (method, methods, status) in [
        (Method::GET, Methods::ReadOnly, None),
        (Method::HEAD, Methods::ReadOnly, None),
        (
            Method::POST,
            Methods::ReadOnly,
            Some(StatusCode::METHOD_NOT_ALLOWED),
        ),
        (Method::POST, Methods::All, None),
        (
            Method::OPTIONS,
            Methods::ReadOnly,
            Some(StatusCode::NO_CONTENT),
        ),
        (Method::OPTIONS, Methods::All, None),
    ] {
        let request = request(method.clone(), &[(HOST, ADDRESS)]);
        let got = rejected(&door, &request, methods).await;
        assert_eq!(got, status, "{method} {methods:?}");
    }
}

#[tokio::test]
async fn a_page_of_a_stranger_changes_nothing_even_with_the_password() {
    let door = door(locked());
    for (origin, status) in [
        ("http://evil.example", Some(StatusCode::FORBIDDEN)),
        ("null", Some(StatusCode::FORBIDDEN)),
        ("http://friend.example", None),
        ("http://192.0.2.1:8080", None),
    ] {
        let headers = [(HOST, ADDRESS), (ORIGIN, origin), (AUTHORIZATION, RIGHT)];
        let post = request(Method::POST, &headers);
        assert_eq!(
            rejected(&door, &post, Methods::All).await,
            status,
            "{origin}"
        );
        let get = request(Method::GET, &headers);
        assert_eq!(rejected(&door, &get, Methods::ReadOnly).await, None);
    }
}

#[tokio::test]
async fn a_password_is_asked_for_but_not_of_a_preflight() {
    let door = door(locked());
    let unlocked = [(HOST, ADDRESS), (AUTHORIZATION, RIGHT)];
    match door
        .check(&request(Method::GET, &unlocked), peer(), Methods::ReadOnly)
        .await
    {
        Checked::Admitted(user) => assert_eq!(user.as_deref(), Some("anna")),
        Checked::Rejected(response) => panic!("{response:?}"),
    }
    for (method, methods, status) in [
        (
            Method::GET,
            Methods::ReadOnly,
            Some(StatusCode::UNAUTHORIZED),
        ),
        (Method::POST, Methods::All, Some(StatusCode::UNAUTHORIZED)),
        (
            Method::OPTIONS,
            Methods::ReadOnly,
            Some(StatusCode::NO_CONTENT),
        ),
        (Method::OPTIONS, Methods::All, None),
    ] {
        let request = request(method.clone(), &[(HOST, ADDRESS)]);
        let got = rejected(&door, &request, methods).await;
        assert_eq!(got, status, "{method} {methods:?}");
    }
}

#[tokio::test]
async fn an_unknown_name_is_refused_before_a_password_is_but_not_to_a_local_program() {
    let door = door(locked());
    let rebound = request(
        Method::GET,
        &[(HOST, "evil.example"), (AUTHORIZATION, RIGHT)],
    );
    let got = rejected(&door, &rebound, Methods::ReadOnly).await;
    assert_eq!(got, Some(StatusCode::MISDIRECTED_REQUEST));
    let checked = door.check(&rebound, Peer::Unix, Methods::ReadOnly).await;
    assert!(matches!(checked, Checked::Admitted(Some(_))), "{checked:?}");
    let nameless = request(Method::GET, &[]);
    let got = rejected(&door, &nameless, Methods::ReadOnly).await;
    assert_eq!(got, Some(StatusCode::BAD_REQUEST));
}

#[tokio::test]
async fn a_program_that_asks_for_tokens_itself_is_asked_whoever_comes_under_a_known_name() {
    let door = door(locked());
    let page = || (ORIGIN, "http://evil.example");
    for method in [Method::POST, Method::GET, Method::OPTIONS] {
        let push = request(method, &[(HOST, ADDRESS), page()]);
        assert_eq!(rejected(&door, &push, Methods::Program).await, None);
    }
    let rebound = request(Method::POST, &[(HOST, "evil.example"), page()]);
    let got = rejected(&door, &rebound, Methods::Program).await;
    assert_eq!(got, Some(StatusCode::MISDIRECTED_REQUEST));
}

#[tokio::test]
async fn another_configuration_holds_from_the_next_request_on() {
    let door = door(locked());
    let request = request(Method::GET, &[(HOST, ADDRESS)]);
    let before = door.live();
    door.reload(LiveConfig::read(ServeOptions::default()).unwrap());
    assert_eq!(rejected(&door, &request, Methods::ReadOnly).await, None);
    assert!(before.options.password.is_some(), "who has it keeps it");
}

#[tokio::test]
async fn who_is_there_is_locked_out_by_another_password_and_by_a_first_one() {
    let right = HeaderValue::from_static(RIGHT);
    let of = |password: &str| ServeOptions {
        password: Some(Password::Environment(password.to_owned())),
        ..ServeOptions::default()
    };
    let open = ServeOptions::default;
    for (began, then, with, is_locked_out) in [
        (locked(), of("anna:secret"), Some(&right), false),
        (locked(), open(), Some(&right), false),
        (open(), locked(), Some(&right), false),
        (open(), open(), None, false),
        (locked(), of("anna:another"), Some(&right), true),
        (locked(), of("ben:secret"), Some(&right), true),
        (open(), locked(), None, true),
    ] {
        let door = door(began);
        let mut locked_out = pin!(door.until_locked_out(with, peer()));
        let soon = timeout(Duration::from_millis(100), &mut locked_out);
        assert!(soon.await.is_err(), "it was let in");
        door.reload(LiveConfig::read(then).unwrap());
        // A hash takes some ms, and more on a busy machine: who is not locked out is asked for it,
        // too, and remembered when it is done.
        let within = Duration::from_secs(if is_locked_out { 60 } else { 1 });
        let seen = timeout(within, &mut locked_out).await.is_ok();
        assert_eq!(seen, is_locked_out);
    }
}
