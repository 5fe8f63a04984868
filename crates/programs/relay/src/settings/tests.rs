use std::fs;

use clap::Parser;

use super::*;
use crate::{Arguments, Side};

fn share(flags: &[&str], file: &str) -> Result<ShareSettings, String> {
    let Side::Share(flags) = side("share", flags, file) else {
        unreachable!("another side");
    };
    ShareSettings::new(&flags).map_err(without_path)
}

fn fetch(flags: &[&str], file: &str) -> Result<FetchSettings, String> {
    let Side::Fetch(flags) = side("fetch", flags, file) else {
        unreachable!("another side");
    };
    FetchSettings::new(&flags).map_err(without_path)
}

fn side(side: &str, flags: &[&str], file: &str) -> Side {
    // Left there for the test's life: its settings are read later.
    let directory = tempfile::tempdir().unwrap().keep();
    let path = directory.join("eyelid.toml");
    fs::write(&path, file).unwrap();
    let config = format!("--config={}", path.display());
    let arguments = ["eyelid-relay", side, &config].into_iter();
    let arguments = Arguments::try_parse_from(arguments.chain(flags.iter().copied()));
    arguments.unwrap().side
}

fn without_path(error: anyhow::Error) -> String {
    error.to_string()
}

#[test]
fn the_command_line_is_as_promised() {
    let settings = share(
        &[
            "--slots",
            "/s",
            "--as",
            "near",
            "--connect",
            "nats://127.0.0.1:1",
            "--only",
            "a,b.c",
        ],
        "",
    );
    let settings = settings.unwrap();
    assert_eq!(settings.host.as_str(), "near");
    assert_eq!(
        settings.only,
        ["a", "b.c"].map(|name| name.parse().unwrap())
    );
    let settings = fetch(
        &[
            "--slots",
            "/s",
            "--connect",
            "nats://127.0.0.1:1",
            "--only",
            "near.*",
        ],
        "",
    );
    let settings = settings.unwrap();
    assert_eq!(settings.only, [pattern("near.*").unwrap()]);
    assert_eq!(
        (
            settings.linger,
            settings.max_cameras,
            settings.max_frame_bytes
        ),
        (Duration::from_secs(15), 5000, 1 << 20)
    );
}

#[test]
fn the_file_says_what_no_flag_does() {
    let file = "[server]\nslots = \"/s\"\n[relay]\nconnect = \"tls://hub\"\ncreds = \"/c\"\n\
                ca = \"/a\"\nas = \"pi\"\nshare = [\"door\"]\nfetch = [\"*.door\"]\n\
                linger = \"2s\"\nmax-cameras = 7\nmax-frame = \"2MiB\"\n";
    let shared = share(&["--as", "other"], file).unwrap();
    assert_eq!(shared.host.as_str(), "other");
    assert_eq!(shared.only, ["door".parse().unwrap()]);
    assert_eq!(shared.broker.creds.as_deref(), Some(Path::new("/c")));
    let fetched = fetch(&["--max-cameras", "8"], file).unwrap();
    assert_eq!(fetched.broker.connect, "tls://hub");
    assert_eq!(fetched.slots, Path::new("/s"));
    assert_eq!(
        (fetched.linger, fetched.max_cameras, fetched.max_frame_bytes),
        (Duration::from_secs(2), 8, 2 << 20)
    );
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let slots = ["--slots", "/s", "--connect", "nats://h"];
    assert!(share(&slots, "").unwrap_err().contains("--as HOST"));
    assert!(
        fetch(&slots[..2], "")
            .unwrap_err()
            .contains("--connect URL")
    );
    assert!(fetch(&slots[2..], "").unwrap_err().contains("--slots DIR"));
    let error = share(&slots, "[relay]\nas = \"a.b\"\n").unwrap_err();
    assert!(error.contains("line 2, key \"relay.as\""), "{error}");
    let error = fetch(&slots, "[relay]\nfetch = [\"door\"]\n").unwrap_err();
    assert!(error.contains("line 2, key \"relay.fetch\""), "{error}");
    let error = fetch(&slots, "[relay]\nmax-cameras = 20001\n").unwrap_err();
    assert!(
        error.contains("line 2, key \"relay.max-cameras\""),
        "{error}"
    );
}

#[test]
fn more_are_fetched_than_one_host_shares() {
    let file = "[relay]\nmax-cameras = 10000\n";
    let flags = ["--slots", "/s", "--connect", "nats://h"];
    assert_eq!(fetch(&flags, file).unwrap().max_cameras, 10_000);
    let flags = [&flags[..], &["--as", "pi"]].concat();
    assert_eq!(share(&flags, file).unwrap().max_cameras, 5_000);
}
