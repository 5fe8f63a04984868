//! Which process holds a camera that is busy.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Says in brackets who has a busy camera, or how one finds out; nothing where nobody has it.
///
/// `devices` are device numbers (st_rdev), `paths` is what a user would call them. Of processes of
/// other users /proc tells only root; to a service in a sandbox (`ProtectProc=`, `PrivateUsers=`)
/// it tells nothing.
pub(crate) fn hint(proc: &Path, devices: &[u64], paths: &str) -> String {
    let seen = look(proc, devices);
    if !seen.holders.is_empty() {
        return format!(" (it is used by {})", seen.holders.join(", "));
    }
    if seen.all {
        return String::new();
    }
    format!(" (who uses it is hidden from this process: see sudo fuser -v {paths})")
}

struct Seen {
    /// `NAME (pid N)` each, this process left out.
    holders: Vec<String>,
    /// No process was hidden.
    all: bool,
}

fn look(proc: &Path, devices: &[u64]) -> Seen {
    let own = std::process::id();
    // There is always a first process. Where it is not to be seen, neither are others.
    let mut all = proc.join("1").exists();
    let mut holders: Vec<(u32, String)> = Vec::new();
    for process in fs::read_dir(proc).into_iter().flatten().flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        match has_open(&process.path(), devices) {
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

fn has_open(process: &Path, devices: &[u64]) -> io::Result<bool> {
    Ok(fs::read_dir(process.join("fd"))?.flatten().any(|entry| {
        // Follows the link: what is open, not what it is called.
        fs::metadata(entry.path()).is_ok_and(|file| devices.contains(&file.rdev()))
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
    use std::process::{Command, Stdio};

    #[test]
    fn names_who_has_the_device_open() {
        let full = fs::metadata("/dev/full").unwrap().rdev();
        let mut cat = Command::new("sleep")
            .arg("1000")
            .stdin(fs::File::open("/dev/full").unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let proc = Path::new("/proc");
        let there = hint(proc, &[full], "/dev/full");
        let nobody = look(proc, &[u64::MAX]);
        cat.kill().unwrap();
        cat.wait().unwrap();
        assert!(
            there.contains(&format!("sleep (pid {})", cat.id())),
            "{there:?}"
        );
        assert!(nobody.holders.is_empty());
    }

    #[test]
    fn tells_how_to_find_out_only_where_something_is_hidden() {
        let proc = tempfile::tempdir().unwrap();
        let hidden = hint(proc.path(), &[1], "/dev/video0");
        assert!(
            hidden.ends_with("see sudo fuser -v /dev/video0)"),
            "{hidden}"
        );
        fs::create_dir_all(proc.path().join("1/fd")).unwrap();
        assert_eq!(hint(proc.path(), &[1], "/dev/video0"), "");
    }
}
