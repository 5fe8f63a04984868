//! What `--list` and `--list-controls` print.

use std::io::{self, Write};

use eyelid_config::Size;
use serde::Serialize;

use super::control::{Control, Kind};
use super::device::{Description, Library, Rates};
use super::log::LibraryLog;
use super::{failed, no_camera, pick};
use crate::source::SourceError;
use crate::{ListRequest, ListWhat};

/// Prints it to stdout.
///
/// # Errors
/// Why libcamera or the camera cannot be asked.
pub(crate) fn print(request: &ListRequest) -> Result<(), SourceError> {
    let broken = |what: &str, reason| SourceError::Libcamera {
        what: what.to_owned(),
        reason: Some(reason),
    };
    let mut log =
        LibraryLog::start(Library::log_to).map_err(|e| broken("cannot take over its log", e))?;
    let library = log.hushed(Library::start);
    let library = library.map_err(|e| broken("cannot be started", e))?;
    let cameras = log.hushed(|| library.cameras());
    if cameras.is_empty() && !request.json {
        return Err(SourceError::Libcamera {
            what: no_camera(&log.complaints()),
            reason: None,
        });
    }
    let text = match &request.what {
        ListWhat::Cameras => {
            let list = || cameras.iter().map(|camera| listed(&library, camera));
            let cameras: Vec<ListedCamera> = log.hushed(|| list().collect());
            if request.json {
                json(&cameras)
            } else {
                cameras.iter().map(camera_text).collect()
            }
        }
        ListWhat::Controls { camera } => {
            let camera = pick(&cameras, camera.as_deref())?;
            let controls = library
                .controls(&camera.id)
                .map_err(|reason| failed(camera, "read its controls", reason))?;
            if request.json {
                json(&controls.iter().map(ListedControl::from).collect::<Vec<_>>())
            } else {
                controls_text(&controls)
            }
        }
    };
    // A reader that has seen enough (head) is no error.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

#[derive(Serialize)]
struct ListedCamera {
    id: String,
    model: Option<String>,
    location: Option<&'static str>,
    rotation: Option<i32>,
    /// Why no rates are given.
    error: Option<String>,
    formats: Vec<ListedFormat>,
    /// Formats that cannot be used here.
    other_formats: Vec<String>,
}

#[derive(Serialize)]
struct ListedFormat {
    format: &'static str,
    sizes: Vec<ListedSize>,
    /// Any size between these two can be had.
    range: Option<[String; 2]>,
}

#[derive(Serialize)]
struct ListedSize {
    size: String,
    min_fps: Option<f64>,
    max_fps: Option<f64>,
}

#[derive(Serialize)]
struct ListedControl<'a> {
    name: &'a str,
    takes: String,
    min: Option<String>,
    max: Option<String>,
    default: Option<String>,
    choices: Vec<&'a str>,
}

impl<'a> From<&'a Control> for ListedControl<'a> {
    fn from(control: &'a Control) -> Self {
        let text = |value: &Option<super::Value>| {
            value.as_ref().map(|value| value.to_text(&control.choices))
        };
        Self {
            name: &control.name,
            takes: control.takes(),
            min: text(&control.min),
            max: text(&control.max),
            default: text(&control.default),
            choices: control.choices.iter().map(|(_, n)| n.as_str()).collect(),
        }
    }
}

fn listed(library: &Library, camera: &Description) -> ListedCamera {
    let (rates, error) = match library.rates(camera) {
        Ok(rates) => (rates, None),
        Err(reason) => (
            Rates::default(),
            Some(failed(camera, "acquire it", reason).to_string()),
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
        id: camera.id.clone(),
        model: camera.model.clone(),
        location: camera.location,
        rotation: camera.rotation,
        error,
        formats: formats.collect(),
        other_formats: camera.others.clone(),
    }
}

fn one_decimal(fps: f64) -> f64 {
    (fps * 10.0).round() / 10.0
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn camera_text(camera: &ListedCamera) -> String {
    let mut about: Vec<String> = camera.model.iter().cloned().collect();
    about.extend(camera.location.map(str::to_owned));
    about.extend(camera.rotation.map(|d| format!("mounted at {d} degrees")));
    let mut text = format!("{}\n    {}\n", camera.id, about.join(", "));
    for format in &camera.formats {
        let sizes: Vec<String> = format.sizes.iter().map(size_text).collect();
        text += &format!("    {:<7} {}", format.format, sizes.join(", "));
        if let Some([min, max]) = &format.range {
            text += &format!(", and all from {min} to {max}");
        }
        text += "\n";
    }
    if !camera.other_formats.is_empty() {
        text += &format!("    not used here: {}\n", camera.other_formats.join(", "));
    }
    if let Some(error) = &camera.error {
        text += &format!("    no rates: {error}\n");
    }
    text
}

fn size_text(size: &ListedSize) -> String {
    match (size.min_fps, size.max_fps) {
        (Some(min), Some(max)) if min == max => format!("{} ({max} fps)", size.size),
        (Some(min), Some(max)) => format!("{} ({min} to {max} fps)", size.size),
        _ => size.size.clone(),
    }
}

fn controls_text(controls: &[Control]) -> String {
    let settable: Vec<&Control> = controls.iter().filter(|c| c.kind != Kind::Other).collect();
    let width = settable.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let line = |control: &&Control| format!("{:<width$}  {}\n", control.name, control.takes());
    settable.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_told_in_a_few_lines() {
        let size = |size: &str, rate: Option<(f64, f64)>| ListedSize {
            size: size.to_owned(),
            min_fps: rate.map(|r| r.0),
            max_fps: rate.map(|r| r.1),
        };
        let camera = ListedCamera {
            id: "/base/imx219@10".to_owned(),
            model: Some("imx219".to_owned()),
            location: Some("external"),
            rotation: Some(180),
            error: Some("busy".to_owned()),
            formats: vec![ListedFormat {
                format: "YUV420",
                sizes: vec![
                    size("640x480", Some((5.0, 30.0))),
                    size("1280x720", Some((30.0, 30.0))),
                    size("1920x1080", None),
                ],
                range: Some(["32x32".to_owned(), "3280x2464".to_owned()]),
            }],
            other_formats: vec!["RGB888".to_owned()],
        };
        assert_eq!(
            camera_text(&camera),
            "/base/imx219@10\n    imx219, external, mounted at 180 degrees\n    \
             YUV420  640x480 (5 to 30 fps), 1280x720 (30 fps), 1920x1080, and all from 32x32 to 3280x2464\n    \
             not used here: RGB888\n    no rates: busy\n"
        );
    }
}
