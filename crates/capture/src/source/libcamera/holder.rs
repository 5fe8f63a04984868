//! Which process holds a camera that is busy.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Gives the processes, other than this one, that have one of the devices open: `NAME (pid N)` each.
///
/// `devices` are device numbers (st_rdev). Of processes of other users /proc tells only root.
pub(super) fn holders(proc: &Path, devices: &[u64]) -> Vec<String> {
    let Ok(processes) = fs::read_dir(proc) else {
        return Vec::new();
    };
    let own = std::process::id();
    let mut holders: Vec<(u32, String)> = processes
        .flatten()
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse::<u32>().ok()?;
            let holds = pid != own && has_open(&process.path(), devices);
            holds.then(|| (pid, name(&process.path())))
        })
        .collect();
    holders.sort_unstable();
    let text = |(pid, name)| format!("{name} (pid {pid})");
    holders.into_iter().map(text).collect()
}

fn has_open(process: &Path, devices: &[u64]) -> bool {
    fs::read_dir(process.join("fd")).is_ok_and(|open| {
        open.flatten().any(|entry| {
            // Follows the link: what is open, not what it is called.
            fs::metadata(entry.path()).is_ok_and(|file| devices.contains(&file.rdev()))
        })
    })
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
        let there = holders(Path::new("/proc"), &[full]);
        let nobody = holders(Path::new("/proc"), &[u64::MAX]);
        cat.kill().unwrap();
        cat.wait().unwrap();
        assert!(
            there.contains(&format!("sleep (pid {})", cat.id())),
            "{there:?}"
        );
        assert!(nobody.is_empty());
        assert!(holders(Path::new("/nowhere"), &[full]).is_empty());
    }
}
