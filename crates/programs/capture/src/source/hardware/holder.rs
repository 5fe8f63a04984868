//! Which process holds a camera that is busy.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use eyelid_daemon::holders;

/// Says in brackets who has a busy camera, or how one finds out; nothing where nobody has it.
///
/// `devices` are device numbers (st_rdev), `paths` is what a user would call them.
pub(crate) fn hint(proc: &Path, devices: &[u64], paths: &str) -> String {
    let is_it = |file: &std::fs::Metadata| devices.contains(&file.rdev());
    holders::hint(proc, is_it, &format!("sudo fuser -v {paths}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_camera_is_known_by_its_device_number() {
        let proc = tempfile::tempdir().unwrap();
        let open = proc.path().join("812/fd");
        fs::create_dir_all(proc.path().join("1/fd")).unwrap();
        fs::create_dir_all(&open).unwrap();
        fs::write(proc.path().join("812/comm"), "motion\n").unwrap();
        std::os::unix::fs::symlink("/dev/full", open.join("3")).unwrap();
        let full = fs::metadata("/dev/full").unwrap().rdev();
        let said = hint(proc.path(), &[u64::MAX, full], "/dev/full");
        assert_eq!(said, " (it is used by motion (pid 812))");
        assert_eq!(hint(proc.path(), &[u64::MAX], "/dev/full"), "");
    }

    #[test]
    fn tells_how_to_find_out_where_something_is_hidden() {
        let proc = tempfile::tempdir().unwrap();
        let hidden = hint(proc.path(), &[1], "/dev/video0");
        assert!(
            hidden.ends_with("see sudo fuser -v /dev/video0)"),
            "{hidden}"
        );
    }
}
