//! Basic authentication (RFC 7617) against an htpasswd file with bcrypt hashes.

mod plain;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::socket::Peer;

/// Longest password that bcrypt takes whole.
const MAX_PASSWORD_BYTES: usize = 72;

/// What htpasswd lets a hash cost. Less is no bcrypt: nobody would get in. Each step more doubles
/// the time in which nobody else is let in either: 17 takes seconds, 31 more than a day.
const COSTS: RangeInclusive<u32> = 4..=17;

/// How many right answers are remembered, so that a client polling snapshots costs one hash and not
/// one a picture.
const REMEMBERED: usize = 64;

/// In how many queues credentials wait to be checked. Who guesses stands in one, and a newcomer in
/// another waits for one of the guesses and not for hundreds; with all queues full that is some
/// seconds, as long as a person waits. (Stochastic fairness queueing, McKenney 1990.)
const QUEUES: usize = 64;

/// Who may look.
pub(crate) struct Users {
    hashes: HashMap<String, String>,
    /// Somebody's hash, checked for users that are not there, so that they cannot be told by the
    /// time it takes. That takes hashes of one cost: htpasswd gives all of them the same unless
    /// told otherwise.
    decoy: String,
    /// Credentials that were right, as they came.
    right: RefCell<Vec<Vec<u8>>>,
    /// Hashing costs tens of milliseconds: one at a time, so that guessing cannot take every core.
    one_at_a_time: Semaphore,
    /// Of each queue the first may wait for that. Addresses are spread over queues in a way that
    /// strangers cannot know.
    queues: [Semaphore; QUEUES],
    spread: RandomState,
}

/// Where one user and password are, as `USER:PASSWORD`.
#[derive(Clone, Debug)]
pub enum Password {
    /// The one line of this file.
    File(PathBuf),
    /// [`PASSWORD_VARIABLE`](eyelid_config::PASSWORD_VARIABLE), whose value this is.
    Environment(String),
}

/// Why nobody could be let in.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct AuthError {
    /// The option that names the file, if it is one.
    pub option: Option<&'static str>,
    fault: AuthFault,
}

/// What is wrong with a password file, or with a password.
#[derive(Debug, thiserror::Error)]
pub enum AuthFault {
    /// It cannot be read.
    #[error("password file {0:?}: {1}")]
    Read(PathBuf, std::io::Error),
    /// A line is not `USER:BCRYPT`.
    #[error("password file {0:?}, line {1}: {2} (make it with: htpasswd -B FILE USER)")]
    Line(PathBuf, usize, &'static str),
    /// Nobody is in it.
    #[error("password file {0:?}: it names nobody (make it with: htpasswd -B -c FILE USER)")]
    Empty(PathBuf),
    /// The single password is none.
    #[error("{0}: {1} (it is to be one line, USER:PASSWORD)")]
    Plain(String, &'static str),
    /// It could not be hashed.
    #[error("{0}: {1}")]
    Hash(String, bcrypt::BcryptError),
}

impl Users {
    /// Reads an htpasswd file and a single password. Where there is neither, everybody may look.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn load(
        htpasswd: Option<&Path>,
        single: Option<&Password>,
    ) -> Result<Option<Self>, AuthError> {
        if htpasswd.is_none() && single.is_none() {
            return Ok(None);
        }
        let mut hashes = match htpasswd {
            Some(path) => {
                let all = read(path).and_then(|text| hashes(&text, path));
                all.map_err(|fault| AuthError {
                    option: Some("auth-file"),
                    fault,
                })?
            }
            None => HashMap::new(),
        };
        if let Some(password) = single {
            let (user, hash) = plain::hashed(password).map_err(|fault| AuthError {
                option: matches!(password, Password::File(_)).then_some("password-file"),
                fault,
            })?;
            hashes.insert(user, hash);
        }
        Ok(Self::new(hashes))
    }

    /// `None` if there is nobody.
    fn new(hashes: HashMap<String, String>) -> Option<Self> {
        let decoy = hashes.values().next()?.clone();
        Some(Self {
            hashes,
            decoy,
            right: RefCell::default(),
            one_at_a_time: Semaphore::new(1),
            queues: std::array::from_fn(|_| Semaphore::new(1)),
            spread: RandomState::new(),
        })
    }

    /// Gives the user whom an `Authorization` header lets in.
    pub(crate) async fn admit(&self, authorization: Option<&[u8]>, peer: Peer) -> Option<String> {
        let authorization = authorization?;
        let (user, password) = credentials(authorization)?;
        if self.remembers(authorization) {
            return Some(user);
        }
        let known = self.hashes.get(&user).cloned();
        let hash = known.clone().unwrap_or_else(|| self.decoy.clone());
        let _queue = self.queues[self.queue(peer)].acquire().await.ok()?;
        let _permit = self.one_at_a_time.acquire().await.ok()?;
        // All clients of one user ask together where passwords were read again.
        if self.remembers(authorization) {
            return Some(user);
        }
        let verified =
            tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false));
        let admitted = verified.await.unwrap_or(false) && known.is_some();
        if admitted {
            let mut right = self.right.borrow_mut();
            if right.len() == REMEMBERED {
                right.remove(0);
            }
            right.push(authorization.to_vec());
        }
        admitted.then_some(user)
    }

    fn remembers(&self, authorization: &[u8]) -> bool {
        let right = self.right.borrow();
        right
            .iter()
            .any(|right| bool::from(right.as_slice().ct_eq(authorization)))
    }

    fn queue(&self, peer: Peer) -> usize {
        (self.spread.hash_one(peer.network()) % QUEUES as u64) as usize
    }
}

fn read(path: &Path) -> Result<String, AuthFault> {
    fs::read_to_string(path).map_err(|error| AuthFault::Read(path.to_owned(), error))
}

/// The users and hashes of an htpasswd file. Empty lines and lines that start with `#` are ignored.
fn hashes(text: &str, path: &Path) -> Result<HashMap<String, String>, AuthFault> {
    let mut hashes = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what| AuthFault::Line(path.to_owned(), number + 1, what);
        let (user, hash) = line
            .split_once(':')
            .ok_or_else(|| wrong("no colon after the user"))?;
        if user.is_empty() {
            return Err(wrong("no user before the colon"));
        }
        let hashed: bcrypt::HashParts =
            hash.parse().map_err(|_| wrong("the hash is not bcrypt"))?;
        if !COSTS.contains(&hashed.get_cost()) {
            return Err(wrong("the cost of the hash is not 4 to 17"));
        }
        if hashes.insert(user.to_owned(), hash.to_owned()).is_some() {
            return Err(wrong("this user is there already"));
        }
    }
    if hashes.is_empty() {
        return Err(AuthFault::Empty(path.to_owned()));
    }
    Ok(hashes)
}

/// The user and password of a Basic `Authorization` header, if bcrypt takes the password whole.
fn credentials(authorization: &[u8]) -> Option<(String, String)> {
    let (user, password) = basic_credentials(authorization)?;
    (password.len() <= MAX_PASSWORD_BYTES).then_some((user, password))
}

/// Gives the user and password of an `Authorization` header of the scheme Basic (RFC 7617).
pub fn basic_credentials(authorization: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(authorization).ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(any(test, fuzzing))]
mod fuzzing;

#[cfg(any(test, fuzzing))]
pub use fuzzing::users as check_users;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(credentials: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(credentials)).into_bytes()
    }

    fn parse(text: &str) -> Result<Users, String> {
        let hashes = hashes(text, Path::new("htpasswd")).map_err(|e| e.to_string())?;
        Ok(Users::new(hashes).unwrap())
    }

    #[tokio::test]
    async fn who_comes_together_is_verified_once() {
        let anna = bcrypt::hash("secret", 4).unwrap();
        let users = parse(&format!("anna:{anna}\n")).unwrap();
        let right = header("anna:secret");
        let admit = || users.admit(Some(&right), Peer::Unix);
        let admitted = tokio::join!(admit(), admit(), admit());
        let anna = Some("anna".to_owned());
        assert_eq!(admitted, (anna.clone(), anna.clone(), anna));
        assert_eq!(users.right.borrow().len(), 1);
    }

    #[tokio::test]
    async fn lets_in_who_knows_the_password_and_nobody_else() {
        // As `htpasswd -B` writes it ($2y$), and as others do ($2b$).
        let anna = bcrypt::hash_with_result("secret", 4).unwrap();
        let file = format!(
            "# comment\n\nanna:{}\nben:{}\n",
            anna.format_for_version(bcrypt::Version::TwoY),
            bcrypt::hash("x:y", 4).unwrap()
        );
        let users = parse(&file).unwrap();
        for right in ["anna:secret", "ben:x:y", "anna:secret"] {
            let admitted = users.admit(Some(&header(right)), Peer::Unix).await;
            assert_eq!(admitted.as_deref(), right.split(':').next(), "{right}");
        }
        assert!(
            users
                .admit(
                    Some(&[b"bAsIc ", &header("anna:secret")[6..]].concat()),
                    Peer::Unix
                )
                .await
                .is_some()
        );
        for wrong in [
            "anna:Secret",
            "anna:",
            "anna",
            "carl:secret",
            ":",
            &format!("anna:{}", "x".repeat(100)),
        ] {
            assert!(
                users
                    .admit(Some(&header(wrong)), Peer::Unix)
                    .await
                    .is_none(),
                "{wrong}"
            );
        }
        assert!(users.admit(None, Peer::Unix).await.is_none());
        for wrong in ["", "Basic", "Basic !!!", "Bearer c2VjcmV0", "Basic /w=="] {
            assert!(
                users
                    .admit(Some(wrong.as_bytes()), Peer::Unix)
                    .await
                    .is_none(),
                "{wrong}"
            );
        }
        assert!(users.right.borrow().len() <= REMEMBERED);
    }

    #[test]
    fn guesses_from_one_place_wait_in_one_queue() {
        let users = parse(&format!("anna:{}", bcrypt::hash("x", 4).unwrap())).unwrap();
        let queue = |address: &str| users.queue(Peer::Tcp(address.parse().unwrap()));
        assert_eq!(queue("192.0.2.1:1000"), queue("192.0.2.1:2000"));
        assert_eq!(queue("192.0.2.1:1000"), queue("[::ffff:192.0.2.1]:1000"));
        assert_eq!(queue("[2001:db8::1]:1"), queue("[2001:db8::ffff:2]:1"));
        for places in [
            (0..200)
                .map(|n| format!("192.0.2.{n}:1"))
                .collect::<Vec<_>>(),
            (0..200)
                .map(|n| format!("[2001:db8:0:{n:x}::1]:1"))
                .collect(),
        ] {
            let mut queues: Vec<_> = places.iter().map(|place| queue(place)).collect();
            queues.sort_unstable();
            queues.dedup();
            assert!(queues.len() > QUEUES / 2, "{queues:?}");
        }
    }

    #[test]
    fn says_which_line_is_wrong() {
        let hash = bcrypt::hash("x", 4).unwrap();
        for (text, line) in [
            ("anna".to_owned(), 1),
            (format!("anna:{hash}\nben:$apr1$abc$def"), 2),
            (format!("anna:{hash}\n\nanna:{hash}"), 3),
            (format!(":{hash}"), 1),
            (format!("anna:{}", hash.replacen("$04$", "$03$", 1)), 1),
            (format!("anna:{}", hash.replacen("$04$", "$18$", 1)), 1),
        ] {
            let error = parse(&text).err().unwrap();
            assert!(error.contains(&format!("line {line}:")), "{error}");
        }
        assert!(parse("# nobody\n").err().unwrap().contains("names nobody"));
    }
}
