//! What the configuration says of cameras that push their frames, as far as this program has to
//! know: `eyelid-receive` reads the rest by itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use eyelid_config::{Config, ConfigError, ReceiveOptions};
use eyelid_slot::CameraName;

use crate::plan::{Listen, ListenFrom, Plan, localhost};

/// The table that all of it is in.
pub(crate) const TABLE: &str = "[receive]";

/// Where cameras find `eyelid-receive` unless told otherwise.
const PORT: u16 = 8765;

/// The cameras that push, and where they do.
#[derive(Debug)]
pub(crate) struct Pushed {
    /// The port for them; none without `[receive]`.
    pub(crate) listen: Option<Listen>,
    /// These cameras.
    pub(crate) cameras: Vec<PushedCamera>,
    is_idle_exit_given: bool,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct PushedCamera {
    /// Its name.
    pub(crate) name: CameraName,
    slot: Option<PathBuf>,
}

impl Pushed {
    /// Reads what the file at `path` says, if there is one.
    ///
    /// # Errors
    /// A wrong value.
    pub(crate) fn new(file: &Config, path: Option<&Path>) -> Result<Self, ConfigError> {
        let options: ReceiveOptions = file.section()?;
        let is_idle_exit_given = options.idle_exit.is_some();
        let path = path.filter(|_| file.has_receive);
        let listen = path.map(|path| Listen {
            addresses: match options.listen {
                none if none.is_empty() => localhost(PORT),
                some => some,
            },
            from: ListenFrom::Table(path.to_owned(), TABLE),
        });
        let cameras = file.pushed_cameras.iter();
        let cameras = cameras.map(|(name, place)| PushedCamera {
            name: name.clone(),
            slot: place.slot.clone(),
        });
        Ok(Self {
            listen,
            cameras: cameras.collect(),
            is_idle_exit_given,
        })
    }

    /// When the program is to end, unless the file says so: as the server does.
    pub(crate) fn idle_exit_argument(&self) -> Option<OsString> {
        (!self.is_idle_exit_given).then(Plan::idle_exit_argument)
    }

    /// The slots of these cameras.
    pub(crate) fn slots<'a>(&'a self, slots: &'a Path) -> impl Iterator<Item = PathBuf> + 'a {
        self.cameras.iter().map(|camera| camera.slot(slots))
    }
}

impl PushedCamera {
    /// The directory of its slot.
    pub(crate) fn slot(&self, slots: &Path) -> PathBuf {
        let usual = || self.name.directory(slots);
        self.slot.clone().unwrap_or_else(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn pushed(text: &str) -> Pushed {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eyelid.toml");
        fs::write(&path, text).unwrap();
        Pushed::new(&Config::load(Some(&path)).unwrap(), Some(&path)).unwrap()
    }

    #[test]
    fn cameras_push_to_localhost_unless_the_table_says_otherwise() {
        let receive = pushed("[receive.cameras.door]\n[receive.cameras.default]\nslot = \"/x\"\n");
        let listen = receive.listen.as_ref().unwrap();
        assert_eq!(listen.addresses, localhost(8765));
        let slots: Vec<_> = receive.slots(Path::new("/s")).collect();
        assert_eq!(slots, [Path::new("/s/door"), Path::new("/x")]);
        assert_eq!(receive.idle_exit_argument().unwrap(), "--idle-exit=30s");

        let receive = pushed("[receive]\nlisten = [\"[::1]:9\"]\nidle-exit = \"2m\"\n");
        assert_eq!(receive.listen.unwrap().addresses[0].to_string(), "[::1]:9");
        assert!(
            pushed("[receive]\nidle-exit = \"2m\"\n")
                .idle_exit_argument()
                .is_none()
        );
    }

    #[test]
    fn without_the_table_there_is_no_port() {
        assert!(pushed("[server]\n").listen.is_none());
    }
}
