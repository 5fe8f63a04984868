//! libcamera's part of `--list` and `--list-controls`.

use eyelid_config::Size;

use super::device::{Description, Library, Rates};
use super::find::{cameras_of, failed, pick};
use super::log::LibraryLog;
use crate::source::SourceError;
use crate::source::hardware::control::Control;
use crate::source::hardware::list::{ListedCamera, ListedFormat, ListedSize, one_decimal};

/// Lists all cameras.
///
/// # Errors
/// Why libcamera cannot be asked, or that it has none.
pub(crate) fn cameras() -> Result<Vec<ListedCamera>, SourceError> {
    let (mut log, library, cameras) = look()?;
    Ok(log.hushed(|| {
        let cameras = cameras.iter();
        cameras.map(|camera| listed(&library, camera)).collect()
    }))
}

/// Lists the controls of a camera: the first one, or the one that has `camera` in its id.
///
/// # Errors
/// Why libcamera or the camera cannot be asked.
pub(crate) fn controls(camera: Option<&str>) -> Result<Vec<Control>, SourceError> {
    let (_log, library, cameras) = look()?;
    let camera = pick(&cameras, camera)?;
    library
        .controls(&camera.id)
        .map_err(|reason| failed(camera, "cannot read its controls", reason))
}

fn look() -> Result<(LibraryLog, Library, Vec<Description>), SourceError> {
    let broken = |what: &str, reason| SourceError::Libcamera {
        what: what.to_owned(),
        reason: Some(reason),
    };
    let mut log =
        LibraryLog::start(Library::log_to).map_err(|e| broken("cannot take over its log", e))?;
    let library = log.hushed(Library::start);
    let library = library.map_err(|e| broken("cannot be started", e))?;
    let cameras = cameras_of(&library, &mut log)?;
    Ok((log, library, cameras))
}

fn listed(library: &Library, camera: &Description) -> ListedCamera {
    let (rates, error) = match library.rates(camera) {
        Ok(rates) => (rates, None),
        Err(reason) => (
            Rates::default(),
            Some(failed(camera, "cannot acquire it", reason).to_string()),
        ),
    };
    let formats = camera.offers.iter().map(|offer| {
        let listed_size = |size: &Size| {
            let rate = rates.get(&(offer.format.name(), size.width, size.height));
            ListedSize {
                size: size.to_string(),
                min_fps: rate.map(|rate| one_decimal(rate.0)),
                max_fps: rate.map(|rate| one_decimal(rate.1)),
            }
        };
        ListedFormat {
            format: offer.format.name(),
            sizes: offer.sizes.iter().map(listed_size).collect(),
            range: offer
                .range
                .map(|range| [range.min.to_string(), range.max.to_string()]),
        }
    });
    ListedCamera {
        source: "libcamera",
        id: camera.id.clone(),
        model: camera.model.clone(),
        location: camera.location,
        rotation: camera.rotation,
        error,
        formats: formats.collect(),
        other_formats: camera.others.clone(),
    }
}
