//! What `--list` and `--list-controls` print.

use serde::Serialize;

use super::control::{Control, Kind, Value};

#[derive(Serialize)]
pub(crate) struct ListedCamera {
    /// What drives it: `libcamera` or `v4l2`.
    pub(crate) source: &'static str,
    pub(crate) id: String,
    pub(crate) model: Option<String>,
    pub(crate) location: Option<&'static str>,
    pub(crate) rotation: Option<i32>,
    /// Why no rates are given.
    pub(crate) error: Option<String>,
    pub(crate) formats: Vec<ListedFormat>,
    /// Formats that cannot be used here.
    pub(crate) other_formats: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct ListedFormat {
    pub(crate) format: &'static str,
    pub(crate) sizes: Vec<ListedSize>,
    /// Any size between these two can be had.
    pub(crate) range: Option<[String; 2]>,
}

#[derive(Serialize)]
pub(crate) struct ListedSize {
    pub(crate) size: String,
    pub(crate) min_fps: Option<f64>,
    pub(crate) max_fps: Option<f64>,
}

#[derive(Serialize)]
pub(crate) struct ListedControl<'a> {
    pub(crate) name: &'a str,
    pub(crate) takes: String,
    pub(crate) min: Option<String>,
    pub(crate) max: Option<String>,
    pub(crate) default: Option<String>,
    pub(crate) choices: Vec<&'a str>,
}

impl<'a> From<&'a Control> for ListedControl<'a> {
    fn from(control: &'a Control) -> Self {
        let text =
            |value: &Option<Value>| value.as_ref().map(|value| value.to_text(&control.choices));
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

pub(crate) fn one_decimal(fps: f64) -> f64 {
    (fps * 10.0).round() / 10.0
}

pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

pub(crate) fn camera_text(camera: &ListedCamera) -> String {
    let mut about = vec![camera.source.to_owned()];
    about.extend(camera.model.clone());
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

pub(crate) fn controls_text(controls: &[Control]) -> String {
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
            source: "libcamera",
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
            "/base/imx219@10\n    libcamera, imx219, external, mounted at 180 degrees\n    \
             YUV420  640x480 (5 to 30 fps), 1280x720 (30 fps), 1920x1080, \
             and all from 32x32 to 3280x2464\n    \
             not used here: RGB888\n    no rates: busy\n"
        );
    }
}
