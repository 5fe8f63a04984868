//! What shows a server who this is: a file that nobody else may read.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use async_nats::Auth;
use nkeys::KeyPair;

/// A user's JWT with the permissions of an account has some kilobytes.
const MAX_BYTES: u64 = 64 << 10;

/// What a JWT begins with in a file of `nsc`, and a seed.
const JWT: &str = "-----BEGIN NATS USER JWT-----";
const SEED: &str = "-----BEGIN USER NKEY SEED-----";

/// What was read. It is never shown.
#[derive(Clone)]
pub(crate) struct Credentials {
    jwt: Option<String>,
    seed: String,
    public_key: String,
}

/// Why a file shows nobody anything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    /// It cannot be read.
    #[error("credentials {0:?}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// Others may read or change it.
    #[error(
        "credentials {path:?}: others may read or change them (mode {mode:04o}): chmod 600 {path:?}"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// It has neither.
    #[error(
        "credentials {0:?}: neither a file of credentials as nsc writes them, nor an nkey's seed \
         (SU...)"
    )]
    Form(PathBuf),
}

impl Credentials {
    /// Reads a file.
    ///
    /// # Errors
    /// [`CredentialsError`], without what is in the file.
    pub(crate) fn read(path: &Path) -> Result<Self, CredentialsError> {
        let failed = |error| CredentialsError::File(path.to_owned(), error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.permissions().mode() & 0o7777;
        // A group may read it: systemd gives a unit its credentials so.
        if mode & 0o027 != 0 {
            let path = path.to_owned();
            return Err(CredentialsError::Open { path, mode });
        }
        let mut text = String::new();
        let read = file.take(MAX_BYTES).read_to_string(&mut text);
        read.map_err(failed)?;
        Self::parse(&text).ok_or_else(|| CredentialsError::Form(path.to_owned()))
    }

    fn parse(text: &str) -> Option<Self> {
        let after = |marker: &str| text.split_once(marker)?.1.split_whitespace().next();
        let jwt = text.contains(JWT).then(|| after(JWT));
        let jwt = jwt.map_or(Some(None), |jwt| jwt.map(Some))?;
        let seed = if jwt.is_some() {
            after(SEED)?
        } else {
            after(SEED).unwrap_or(text.trim())
        };
        let public_key = KeyPair::from_seed(seed).ok()?.public_key();
        // A user's, not an account's or a server's.
        public_key.starts_with('U').then(|| Self {
            jwt: jwt.map(str::to_owned),
            seed: seed.to_owned(),
            public_key,
        })
    }

    /// The user's name among servers.
    pub(crate) fn public_key(&self) -> &str {
        &self.public_key
    }

    /// What shows a server who this is that has sent this `nonce`.
    ///
    /// # Errors
    /// The key signs nothing.
    pub(crate) fn auth(&self, nonce: &[u8]) -> Result<Auth, nkeys::error::Error> {
        let mut auth = Auth::new();
        auth.signature = Some(KeyPair::from_seed(&self.seed)?.sign(nonce)?);
        match &self.jwt {
            Some(jwt) => auth.jwt = Some(jwt.clone()),
            None => auth.nkey = Some(self.public_key.clone()),
        }
        Ok(auth)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credentials({})", self.public_key)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    fn read(text: &str, mode: u32) -> Result<Credentials, CredentialsError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("relay.creds");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        Credentials::read(&path)
    }

    #[test]
    fn an_nkey_or_credentials_say_who_the_user_is() {
        let user = KeyPair::new_user();
        let seed = user.seed().unwrap();
        let read_seed = read(&format!("{seed}\n"), 0o600).unwrap();
        assert_eq!(read_seed.public_key(), user.public_key());
        let creds = format!(
            "{JWT}\neyJ0.e30.sig\n------END NATS USER JWT------\n\n{SEED}\n{seed}\n------END USER \
             NKEY SEED------\n"
        );
        let read = read(&creds, 0o440).unwrap();
        let auth = read.auth(b"nonce").unwrap();
        assert_eq!(
            (auth.jwt.as_deref(), auth.nkey),
            (Some("eyJ0.e30.sig"), None)
        );
        user.verify(b"nonce", &auth.signature.unwrap()).unwrap();
        assert!(!format!("{read:?}").contains(&seed));
    }

    #[test]
    fn what_others_may_read_is_refused() {
        let seed = KeyPair::new_user().seed().unwrap();
        for mode in [0o644, 0o660, 0o602] {
            let error = read(&seed, mode).unwrap_err();
            assert!(matches!(error, CredentialsError::Open { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_no_users_is_refused_and_not_shown() {
        let account = KeyPair::new_account().seed().unwrap();
        for text in ["", "SUsecret", &account, &format!("{JWT}\nsecret\n")] {
            let error = read(text, 0o600).unwrap_err().to_string();
            assert!(error.contains("nor an nkey"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
