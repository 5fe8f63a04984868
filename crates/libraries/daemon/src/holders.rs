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
    let seen = look(proc, is_it);
    if !seen.holders.is_empty() {
        return format!(" (it is used by {})", seen.holders.join(", "));
    }
    if seen.all {
        return String::new();
    }
    format!(" (who uses it is hidden from this process: see {command})")
}

struct Seen {
    /// `NAME (pid N)` each, this process left out.
    holders: Vec<String>,
    /// No process was hidden.
    all: bool,
}

fn look(proc: &Path, is_it: impl Fn(&Metadata) -> bool) -> Seen {
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
    let text = |(pid, name)| format!("{name} (pid {pid})");
    Seen {
        holders: holders.into_iter().map(text).collect(),
        all,
    }
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
        let nobody = look(proc, |_| false);
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert!(
            there.contains(&format!("sleep (pid {})", sleep.id())),
            "{there:?}"
        );
        assert!(nobody.holders.is_empty());
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
