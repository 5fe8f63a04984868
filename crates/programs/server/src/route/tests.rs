//! What paths and queries lead to.

use proptest::prelude::*;

use super::*;

fn parse(target: &str) -> Route {
    match target.split_once('?') {
        Some((path, query)) => Route::parse(path, Some(query)),
        None => Route::parse(target, None),
    }
}

fn name(name: &str) -> CameraName {
    name.parse().unwrap()
}

#[test]
fn every_way_to_a_stream_leads_to_it() {
    let stream = |which| Route::Stream(which, StreamParameters::default());
    let default = stream(Which::Name(CameraName::default()));
    for target in [
        "/stream",
        "/stream.mjpg",
        "/?action=stream",
        "/?action=stream&1795207369454",
        "/?timestamp=1795207369454&action=stream",
        "/webcam/?action=stream",
        "/webcam?action=stream",
        "/webcam/stream",
        "/stream?cacheBust=1",
        "/default/stream",
    ] {
        assert_eq!(parse(target), default, "{target}");
    }
    assert_eq!(
        parse("/front/?action=stream"),
        stream(Which::Name(name("front")))
    );
    assert_eq!(
        parse("/webcam/front/stream.mjpg"),
        stream(Which::Name(name("front")))
    );
    assert_eq!(parse("/?action=stream_1"), stream(Which::Number(1)));
    assert_eq!(parse("/stream_0"), stream(Which::Number(0)));
}

#[test]
fn a_stream_comes_as_the_client_wants_it() {
    for (query, fps, header) in [
        ("x=1&fps=2.5", Some(2.5), None),
        ("advance_headers=1", None, Some(HeaderTiming::InAdvance)),
        (
            "advance_headers=0&fps=1000",
            Some(1000.0),
            Some(HeaderTiming::WithFrame),
        ),
    ] {
        assert_eq!(
            parse(&format!("/stream?{query}")),
            Route::Stream(
                Which::Name(name("default")),
                StreamParameters {
                    fps,
                    header,
                    size: None,
                    adapt: None,
                }
            )
        );
    }
    let no = ["fps=0", "fps=-1", "fps=nan", "fps=inf", "fps=fast", "fps="];
    for query in no
        .iter()
        .chain(&["advance_headers=yes", "advance_headers="])
    {
        assert!(
            matches!(parse(&format!("/stream?{query}")), Route::BadQuery(_)),
            "{query}"
        );
    }
}

#[test]
fn every_way_to_a_picture_takes_a_size() {
    let both = |wanted| (wanted, wanted);
    let named = |rendition| both(Wanted::Rendition(rendition));
    let wide = |largest| Wanted::AtLeastWide {
        width: 640,
        largest,
    };
    for (query, (streams, snapshots)) in [
        ("size=current", both(Wanted::Frame)),
        ("1795207369454&size=low", named(Rendition::Low)),
        ("size=half", named(Rendition::Half)),
        ("size=quarter&x=1", named(Rendition::Quarter)),
        ("size=full", named(Rendition::Full)),
        ("width=640", (wide(Largest::Frame), wide(Largest::Full))),
    ] {
        let parameters = StreamParameters {
            size: Some(streams),
            ..StreamParameters::default()
        };
        let (front, second) = (|| Which::Name(name("front")), || Which::Number(1));
        for (path, which) in [
            ("/front/stream?", front()),
            ("/front/?action=stream&", front()),
            ("/webcam/front/stream.mjpg?", front()),
            ("/?action=stream_1&", second()),
            ("/stream_1?", second()),
        ] {
            let target = format!("{path}{query}");
            assert_eq!(parse(&target), Route::Stream(which, parameters), "{target}");
        }
        for (path, which) in [
            ("/front/snapshot?", front()),
            ("/front?action=snapshot&", front()),
            ("/webcam/front/snapshot.jpg?", front()),
            ("/?action=snapshot_1&", second()),
            ("/snapshot_1?", second()),
        ] {
            let target = format!("{path}{query}");
            let snapshot = Route::Snapshot(which, Some(snapshots));
            assert_eq!(parse(&target), snapshot, "{target}");
        }
    }
    let sizes = [
        "size=",
        "size=y4m",
        "size=Half",
        "size=big",
        "size=half.jpg",
    ];
    let widths = [
        "width=",
        "width=0",
        "width=-1",
        "width=1e3",
        "width=4294967296",
    ];
    for query in sizes
        .into_iter()
        .chain(widths)
        .chain(["width=640&size=half"])
    {
        for path in ["/stream?", "/?action=snapshot&", "/front/snapshot.jpg?"] {
            let target = format!("{path}{query}");
            assert!(matches!(parse(&target), Route::BadQuery(_)), "{target}");
        }
    }
    assert_eq!(parse("/?size=big"), Route::Viewer(None), "no picture");
}

#[test]
fn a_stream_is_adapted_as_the_client_says() {
    for (query, adapt) in [
        ("adapt=smooth", Some(Adapt::Smooth)),
        ("1699999999999&adapt=sharp", Some(Adapt::Sharp)),
        ("adapt=off", Some(Adapt::Off)),
        ("adapted=smooth", None),
    ] {
        let parameters = StreamParameters {
            adapt,
            ..StreamParameters::default()
        };
        for path in ["/front/stream?", "/front/?action=stream&"] {
            let target = format!("{path}{query}");
            let stream = Route::Stream(Which::Name(name("front")), parameters);
            assert_eq!(parse(&target), stream, "{target}");
        }
    }
    for query in [
        "adapt=",
        "adapt=1",
        "adapt=Smooth",
        "adapt=half",
        "adapt=smooth&size=half",
        "width=640&adapt=sharp",
    ] {
        let target = format!("/stream?{query}");
        assert!(matches!(parse(&target), Route::BadQuery(_)), "{target}");
    }
    let both = parse("/stream?size=half&adapt=off");
    assert!(matches!(both, Route::Stream(..)), "{both:?}");
}

#[test]
fn the_rest_of_the_paths() {
    let default = Route::Snapshot(Which::Name(CameraName::default()), None);
    for target in [
        "/snapshot",
        "/snapshot.jpg",
        "/?action=snapshot&bypassCache=1",
        "/webcam/?action=snapshot",
    ] {
        assert_eq!(parse(target), default, "{target}");
    }
    assert_eq!(parse("/"), Route::Viewer(None));
    assert_eq!(parse("/?x"), Route::Viewer(None));
    assert_eq!(parse("/webcam/"), Route::Viewer(None));
    assert_eq!(parse("/front"), Route::AddSlash(name("front")));
    assert_eq!(parse("/front/"), Route::Viewer(Some(name("front"))));
    assert_eq!(parse("/status"), Route::Status(None));
    assert_eq!(parse("/webcam/status?1"), Route::Status(None));
    let only = ["front", "pi-1.door"].map(name);
    assert_eq!(
        parse("/status?x&cameras=pi-1.door,front,front"),
        Route::Status(Some(only.into()))
    );
    assert_eq!(
        parse("/status?cameras="),
        Route::Status(Some([].into())),
        "the server alone"
    );
    for bad in ["a/b", "status", "front,..", "a,%2e"] {
        let route = parse(&format!("/status?cameras={bad}"));
        assert!(matches!(route, Route::BadQuery(_)), "{bad}");
    }
    assert_eq!(parse("/metrics"), Route::Metrics);
    assert_eq!(parse("/viewer.js"), Route::Asset(Asset::Script));
    assert_eq!(parse("/webcam/video.js"), Route::Asset(Asset::Video));
}

#[test]
fn what_other_programs_answer_is_theirs_with_all_below_it() {
    let front = || Some(Which::Name(name("front")));
    let default = || Some(Which::Name(CameraName::default()));
    for (target, program, camera) in [
        ("/front/whep", Program::Video, front()),
        ("/front/whep/7f3a?x=1", Program::Video, front()),
        ("/webcam/webrtc", Program::Video, default()),
        ("/front/mse", Program::Video, front()),
        ("/front/push", Program::Receive, front()),
        ("/alerts", Program::Watch, None),
        ("/alerts/1/picture.jpg", Program::Watch, None),
        ("/front/controls", Program::Control, front()),
        ("/tune", Program::Control, default()),
        ("/option?key=focus&value=2", Program::Control, None),
    ] {
        assert_eq!(parse(target), Route::Other(program, camera), "{target}");
    }
    for target in [
        "/front/whepx",
        "/alertsx/",
        "/front/alerts",
        "/front/option",
    ] {
        assert!(!matches!(parse(target), Route::Other(..)), "{target}");
    }
}

#[test]
fn everything_else_is_not_there() {
    for target in [
        "/../etc/passwd",
        "/%2e%2e/x",
        "/front/../stream",
        "/front/status",
        "/a/b/stream",
        "/?action=command",
        "/favicon.ico",
        "//stream",
        "/front%00/",
    ] {
        assert_eq!(parse(target), Route::NotFound, "{target}");
    }
}

proptest! {
    #[test]
    fn never_panics(path in ".*", query in proptest::option::of(".*")) {
        Route::parse(&path, query.as_deref());
    }
}
