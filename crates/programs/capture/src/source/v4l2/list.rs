//! V4L2's part of `--list` and `--list-controls`.

use eyelid_v4l2::Node;

use super::find::{self, V4l2Description};
use super::rate::V4l2Rates;
use super::{controls as own_controls, find_and_open};
use crate::source::SourceError;
use crate::source::hardware::control::Control;
use crate::source::hardware::list::{ListedCamera, ListedFormat, ListedSize, one_decimal};

/// Lists all cameras, or the one that is wanted.
///
/// # Errors
/// That there is none.
pub(crate) fn cameras(wanted: Option<&str>) -> Result<Vec<ListedCamera>, SourceError> {
    if wanted.is_some() {
        let (camera, node) = find_and_open(wanted)?;
        return Ok(vec![listed(&camera, Some(&node))]);
    }
    let found = find::all();
    if found.cameras.is_empty() {
        return Err(find::none(&found));
    }
    let list = found.cameras.iter().map(|camera| {
        let node = Node::open(&camera.path).ok();
        listed(camera, node.as_ref())
    });
    Ok(list.collect())
}

/// Lists the controls of a camera: the first one, or the one that is wanted.
///
/// # Errors
/// Why it cannot be asked.
pub(crate) fn controls(wanted: Option<&str>) -> Result<Vec<Control>, SourceError> {
    let (_, node) = find_and_open(wanted)?;
    Ok(own_controls::describe(&node))
}

fn listed(camera: &V4l2Description, node: Option<&Node>) -> ListedCamera {
    let formats = camera.offers.iter().map(|(fourcc, offer)| {
        let size = |size: &eyelid_config::Size| {
            let rates = node.map(|node| V4l2Rates::of(node, *fourcc, (size.width, size.height)));
            let ends = rates.and_then(|rates| rates.ends());
            ListedSize {
                size: size.to_string(),
                min_fps: ends.map(|ends| one_decimal(ends.0)),
                max_fps: ends.map(|ends| one_decimal(ends.1)),
            }
        };
        ListedFormat {
            format: offer.format.name(),
            sizes: offer.sizes.iter().map(size).collect(),
            range: offer
                .range
                .map(|range| [range.min.to_string(), range.max.to_string()]),
        }
    });
    ListedCamera {
        source: "v4l2",
        id: camera.path.display().to_string(),
        model: Some(camera.card.clone()),
        location: None,
        rotation: None,
        error: None,
        formats: formats.collect(),
        other_formats: camera.others.clone(),
    }
}
