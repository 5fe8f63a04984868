//! Which options go together.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use eyelid_config::{CameraOptions, Size, SourceSpec};

/// A larger test picture takes longer to draw and encode than the 2 s after which a frame is old. A
/// camera's own 12 megapixels (4056x3040) can still be tried.
pub(crate) const MOST_TEST_PIXELS: u64 = 1 << 24;

/// An option that goes with another source, or with another value, and what is wrong with it.
pub(crate) struct Misfit {
    /// The option.
    pub(crate) option: &'static str,
    /// What is wrong.
    pub(crate) what: String,
}

/// Finds an option that does not go with the `source`, or a `slot` that does not.
pub(crate) fn misfit(options: &CameraOptions, source: &SourceSpec, slot: &Path) -> Option<Misfit> {
    let misfit = |option, what| Some(Misfit { option, what });
    if let SourceSpec::Folder(folder) = source {
        if same_directory(folder, slot) {
            let what = format!(
                "{slot:?} is the folder of the pictures, too, and the camera would show its own frames; give another"
            );
            return misfit("slot", what);
        }
    } else if options.delete_older_than.is_some() {
        let what = format!(
            "works with source folder:PATH only, not with {}; leave it out",
            shown(source)
        );
        return misfit("delete-older-than", what);
    }
    if let SourceSpec::Test = source
        && let Some(Size { width, height }) = options.size
        && u64::from(width) * u64::from(height) > MOST_TEST_PIXELS
    {
        let what = format!(
            "{width}x{height} is too large for source test, which draws at most {MOST_TEST_PIXELS} pixels (4096x4096)"
        );
        return misfit("size", what);
    }
    if let (SourceSpec::V4l2(Some(named)), Some(_)) = (source, &options.camera) {
        let what = format!("source v4l2:{named} says which camera already; leave one of them out");
        return misfit("camera", what);
    }
    if let Some(option) = only_for_http(options)
        && !matches!(source, SourceSpec::Http(_))
    {
        let what = format!(
            "works with source http://HOST:PORT/PATH only, not with {}; leave it out",
            shown(source)
        );
        return misfit(option, what);
    }
    if let (SourceSpec::Http(url), Some(_)) = (source, &options.ca_file)
        && !url.as_str().starts_with("https:")
    {
        let what = "is for https, and the source is http; leave it out".to_owned();
        return misfit("ca-file", what);
    }
    if let Some(option) = only_for_cameras(options)
        && !matches!(
            source,
            SourceSpec::Auto | SourceSpec::V4l2(_) | SourceSpec::Libcamera
        )
    {
        let what = format!(
            "works with sources auto, v4l2 and libcamera only, not with {}; leave it out",
            shown(source)
        );
        return misfit(option, what);
    }
    None
}

/// An option that only sources of cameras have, if one was given.
fn only_for_cameras(options: &CameraOptions) -> Option<&'static str> {
    let given = [
        ("camera", options.camera.is_some()),
        ("min-size", options.min_size.is_some()),
        ("max-size", options.max_size.is_some()),
        ("smallest", options.smallest == Some(true)),
        ("control", !options.control.is_empty()),
        ("buffers", options.buffers.is_some()),
        ("frame-timeout", options.frame_timeout.is_some()),
    ];
    given
        .iter()
        .find_map(|(name, given)| given.then_some(*name))
}

/// An option that only source http has, if one was given.
fn only_for_http(options: &CameraOptions) -> Option<&'static str> {
    let given = [
        ("login-file", options.login_file.is_some()),
        ("login", options.login.is_some()),
        ("ca-file", options.ca_file.is_some()),
    ];
    given
        .iter()
        .find_map(|(name, given)| given.then_some(*name))
}

/// A source as everybody may know it: a command line may be long and hold a password, and with many
/// services the path of a URL is one.
pub(crate) fn shown(source: &SourceSpec) -> String {
    match source {
        SourceSpec::Command(_) => "command".to_owned(),
        SourceSpec::Http(url) => {
            let url = url.as_str();
            let host = url.find("://").map_or(0, |at| at + "://".len());
            let end = url[host..].find(['/', '?', '#']);
            end.map_or(url, |end| &url[..host + end]).to_owned()
        }
        other => other.to_string(),
    }
}

fn same_directory(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    match (identity(one), identity(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one.components().eq(other.components()),
    }
}
