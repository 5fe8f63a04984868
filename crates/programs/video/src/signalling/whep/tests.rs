use hyper::header::ALLOW;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    headers
}

fn status(method: &str, session: Option<&str>, pairs: &[(&str, &str)]) -> (u16, String) {
    let method: Method = method.parse().unwrap();
    match read(&method, &headers(pairs), session) {
        Ok(WhepRequest::Preflight(response)) => (response.status().as_u16(), String::new()),
        Ok(asked) => (0, format!("{asked:?}")),
        Err(rejection) => {
            let response = rejection.response();
            let said = [ALLOW, ACCEPT_POST, ACCEPT_PATCH].map(|name| {
                let value = response.headers().get(name);
                value.map_or("", |value| value.to_str().unwrap()).to_owned()
            });
            (response.status().as_u16(), said.concat())
        }
    }
}

#[test]
fn an_offer_is_posted_as_sdp_and_by_no_other_method() {
    for sdp in ["application/sdp", "Application/SDP; charset=utf-8"] {
        assert_eq!(
            status("POST", None, &[("content-type", sdp)]),
            (0, "Open".into())
        );
    }
    let refused = (415, SDP.to_owned());
    assert_eq!(status("POST", None, &[]), refused);
    for other in [
        "application/json",
        "text/plain",
        "application/sdpx",
        "\u{fc}",
    ] {
        assert_eq!(
            status("POST", None, &[("content-type", other)]),
            refused,
            "{other}"
        );
    }
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        assert_eq!(
            status(method, None, &[]),
            (405, "POST, OPTIONS".into()),
            "{method}"
        );
    }
    assert_eq!(status("OPTIONS", None, &[]).0, 204);
}

#[test]
fn a_session_is_patched_with_its_tag_and_deleted() {
    let session = Some(ID);
    let fragment = ("content-type", FRAGMENT);
    let (_, any) = status("PATCH", session, &[fragment, ("if-match", "*")]);
    assert!(any.starts_with("Trickle(01234567, Any"), "{any}");
    let (_, tags) = status("PATCH", session, &[fragment, ("if-match", "\"a\", \"b\"")]);
    assert!(tags.contains("Tags("), "{tags}");
    assert_eq!(status("PATCH", session, &[fragment]).0, 428);
    let refused = (415, FRAGMENT.to_owned());
    assert_eq!(status("PATCH", session, &[("if-match", "*")]), refused);
    assert_eq!(
        status("DELETE", session, &[]),
        (0, "Close(01234567)".into())
    );
    for method in ["GET", "HEAD", "POST", "PUT"] {
        assert_eq!(
            status(method, session, &[]),
            (405, "PATCH, DELETE, OPTIONS".into())
        );
    }
    assert_eq!(status("OPTIONS", session, &[]).0, 204);
    for nobody in ["", "7f", "0123456789ABCDEF0123456789abcdef"] {
        assert_eq!(status("DELETE", Some(nobody), &[]).0, 404, "{nobody}");
        assert_eq!(
            status("PATCH", Some(nobody), &[fragment]).0,
            404,
            "{nobody}"
        );
    }
}

const PASSWORD: &str = "vw5LmwG4y/e6dPP/zAP9Gp5k";

/// What comes of a fragment for a session whose client is called so.
fn take(
    called: Option<&str>,
    if_match: &str,
    names: (Option<&str>, Option<&str>),
    candidates: usize,
) -> Result<Taken, u16> {
    let condition = Condition::of(&headers(&[("if-match", if_match)])).unwrap();
    let trickled = Trickled {
        tag: "tag",
        ice_ufrag: called,
        candidates: 30,
    };
    let fragment = SdpFragment {
        ice_ufrag: names.0.map(str::to_owned),
        ice_password: names.1.map(str::to_owned),
        candidates,
    };
    let taken = trickled.take(&condition, &fragment);
    taken.map_err(|rejection| rejection.status().as_u16())
}

#[test]
fn candidates_are_taken_for_the_session_that_there_is() {
    let trickle = |if_match, ufrag, candidates| {
        take(Some("VfXl"), if_match, (ufrag, Some(PASSWORD)), candidates)
    };
    let count = |count| Ok(Taken::Candidates(count));
    assert_eq!(trickle("\"tag\"", Some("VfXl"), 1), count(31));
    assert_eq!(trickle("\"old\" , \"tag\"", None, 0), count(30));
    // Fluidd's way.
    assert_eq!(trickle("*", Some("VfXl"), 2), count(32));
    assert_eq!(trickle("\"old\"", Some("VfXl"), 1), Err(412));
    assert_eq!(trickle("tag", Some("VfXl"), 1), Err(412));
    assert_eq!(trickle("*", Some("VfXl"), 3), Err(413));
    // One that camera-streamer's JSON has opened.
    assert_eq!(take(None, "*", (None, None), 1), count(31));
}

#[test]
fn another_name_is_a_restart_for_whom_it_is_meant() {
    let restart = |called, if_match, ufrag, password| {
        // However many candidates there were: they are those of the way that is given up.
        take(called, if_match, (Some(ufrag), password), 32)
    };
    let credentials = Credentials::new("ysXw", PASSWORD).unwrap();
    let taken = restart(Some("VfXl"), "*", "ysXw", Some(PASSWORD));
    assert_eq!(taken, Ok(Taken::Restart(credentials)));
    for (called, if_match, password) in [
        (Some("VfXl"), "\"tag\"", Some(PASSWORD)),
        (Some("VfXl"), "*", None),
        (Some("VfXl"), "*", Some("short")),
        (None, "*", Some(PASSWORD)),
    ] {
        assert_eq!(restart(called, if_match, "ysXw", password), Err(422));
    }
    assert_eq!(
        restart(Some("VfXl"), "\"old\"", "ysXw", Some(PASSWORD)),
        Err(412)
    );
}

#[test]
fn a_new_session_is_told_with_where_it_is() {
    let id: SessionId = ID.parse().unwrap();
    for (path, location) in [
        ("/front/whep", format!("whep/{ID}")),
        ("/whep", format!("whep/{ID}")),
        ("/front/whep/", ID.to_owned()),
    ] {
        let response = created(path, id, "tag", "v=0\r\n".into());
        assert_eq!(response.status(), StatusCode::CREATED);
        for (name, value) in [
            (CONTENT_TYPE, SDP),
            (ETAG, "\"tag\""),
            (LOCATION, &location),
            (ACCEPT_PATCH, FRAGMENT),
        ] {
            assert_eq!(response.headers()[name], *value);
        }
    }
}
