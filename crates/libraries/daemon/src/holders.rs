//! Which processes have something open that is busy.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// Says in brackets who has what is busy, or how one finds out; nothing where nobody has it.
///
/// `is_it` tells it by what fstat(2) says, `command` shows a user who has it. Of processes of other
/// users /proc tells only root; to a service in a sandbox (`ProtectProc=`, `PrivateUsers=`) it
/// tells nothing.
pub fn hint(proc: &Path, is_it: impl Fn(&Metadata) -> bool, command: &str) -> String {
    Holders::look(proc, is_it).hint(command)
}

/// Who has something open.
#[derive(Debug)]
pub(crate) struct Holders {
    /// Their numbers and names, this process left out.
    seen: Vec<(u32, String)>,
    /// No process was hidden.
    all: bool,
}

impl Holders {
    /// Says in brackets who they are, or which command tells it.
    pub(crate) fn hint(&self, command: &str) -> String {
        if !self.seen.is_empty() {
            let seen = self.seen.iter();
            let names = seen.map(|(pid, name)| format!("{name} (pid {pid})"));
            return format!(" (it is used by {})", names.collect::<Vec<_>>().join(", "));
        }
        if self.all {
            return String::new();
        }
        format!(" (who uses it is hidden from this process: see {command})")
    }

    /// Says whether some are seen, and all of these have been started by this process, or are it.
    pub(crate) fn are_of(&self, proc: &Path, parent: u32) -> bool {
        let is_of = |pid: u32| pid == parent || parent_of(proc, pid) == Some(parent);
        !self.seen.is_empty() && self.seen.iter().all(|(pid, _)| is_of(*pid))
    }

    /// Looks through /proc.
    pub(crate) fn look(proc: &Path, is_it: impl Fn(&Metadata) -> bool) -> Self {
        let own = std::process::id();
        // There is always a first process. Where it is not to be seen, neither are others.
        let mut all = proc.join("1").exists();
        let mut holders: Vec<(u32, String)> = Vec::new();
        for process in fs::read_dir(proc).into_iter().flatten().flatten() {
            let name = process.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            match has_open(&process.path(), &is_it) {
                Ok(true) if pid != own => holders.push((pid, self::name(&process.path()))),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => all = false,
                _ => {}
            }
        }
        holders.sort_unstable();
        Holders { seen: holders, all }
    }
}

/// Who has started a process (proc_pid_status(5)).
fn parent_of(proc: &Path, pid: u32) -> Option<u32> {
    let status = fs::read_to_string(proc.join(pid.to_string()).join("status")).ok()?;
    let mut lines = status.lines();
    let parent = lines.find_map(|line| line.strip_prefix("PPid:"))?;
    parent.trim().parse().ok()
}

fn has_open(process: &Path, is_it: impl Fn(&Metadata) -> bool) -> io::Result<bool> {
    Ok(fs::read_dir(process.join("fd"))?.flatten().any(|entry| {
        // Follows the link: what is open, not what it is called.
        fs::metadata(entry.path()).is_ok_and(|file| is_it(&file))
    }))
}

fn name(process: &Path) -> String {
    fs::read_to_string(process.join("comm")).map_or_else(
        |_| "a process".to_owned(),
        |name| name.trim_end().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::process::{Command, Stdio};

    #[test]
    fn names_who_has_it_open() {
        let full = fs::metadata("/dev/full").unwrap().rdev();
        let mut sleep = Command::new("sleep")
            .arg("1000")
            .stdin(fs::File::open("/dev/full").unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let proc = Path::new("/proc");
        let there = hint(proc, |file| file.rdev() == full, "");
        let seen = Holders::look(proc, |file| file.rdev() == full);
        let is_ours = seen.are_of(proc, std::process::id());
        let is_of_first = seen.are_of(proc, 1);
        let nobody = Holders::look(proc, |_| false);
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert!(
            there.contains(&format!("sleep (pid {})", sleep.id())),
            "{there:?}"
        );
        assert!(is_ours && !is_of_first);
        assert!(nobody.seen.is_empty());
        assert!(!nobody.are_of(proc, std::process::id()));
    }

    #[test]
    fn tells_how_to_find_out_only_where_something_is_hidden() {
        let proc = tempfile::tempdir().unwrap();
        let hidden = hint(proc.path(), |_| true, "sudo ss -lunp");
        assert!(hidden.ends_with("see sudo ss -lunp)"), "{hidden}");
        fs::create_dir_all(proc.path().join("1/fd")).unwrap();
        assert_eq!(hint(proc.path(), |_| true, ""), "");
    }
}
