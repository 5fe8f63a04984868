//! What must hold whatever is in a password file, and in an `Authorization` header.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{AuthFault, MAX_PASSWORD_BYTES, Users, credentials, hashes};

/// A file is refused with a line of it, or names users who can be told by their passwords;
/// credentials that are understood are the ones that were sent.
///
/// # Panics
/// Where that does not hold.
pub fn users(bytes: &[u8]) {
    if let Some((user, password)) = credentials(bytes) {
        assert!(!user.contains(':') && password.len() <= MAX_PASSWORD_BYTES);
        let header = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        assert_eq!(credentials(header.as_bytes()), Some((user, password)));
    }
    // A file that is not UTF-8 is refused when it is read.
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match hashes(text, Path::new("htpasswd")) {
        Ok(hashes) => match Users::new(hashes) {
            Some(users) => check(&users),
            None => panic!("a file that is taken names nobody"),
        },
        Err(AuthFault::Line(_, line, _)) => assert!((1..=text.lines().count()).contains(&line)),
        Err(AuthFault::Empty(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

fn check(users: &Users) {
    let lines = users.hashes.iter();
    let lines: Vec<String> = lines
        .map(|(user, hash)| format!("{user}:{hash}\n"))
        .collect();
    match hashes(&lines.concat(), Path::new("htpasswd")) {
        Ok(again) => assert_eq!(again, users.hashes),
        Err(error) => panic!("{error}"),
    }
    for hash in users.hashes.values().chain([&users.decoy]) {
        // A hash of the lowest cost takes a millisecond, one of the highest hours.
        if hash.get(4..6) == Some("04") {
            assert!(bcrypt::verify("secret", hash).is_ok(), "{hash:?}");
        }
        let cost = hash.get(4..6).and_then(|cost| cost.parse().ok());
        assert!(
            cost.is_some_and(|cost: u32| (4..=17).contains(&cost)),
            "{hash:?}"
        );
    }
}
