//! Plots for `docs/images`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, anyhow};
use clap::Args;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

use crate::trace;

/// About the width of a page on GitHub, and half as high.
const SIZE_PX: (u32, u32) = (860, 430);

const FONT: &str = "sans-serif";

/// Blue, orange and so on: Okabe and Ito's, which people who see few colours can tell apart.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 86, 86),
];

/// A plot of files.
#[derive(Args)]
pub(crate) struct Plot {
    /// The SVG to write
    path: PathBuf,
    #[arg(long)]
    title: String,
    /// What goes to the right
    #[arg(long, value_name = "LABEL")]
    x: String,
    /// What goes up
    #[arg(long, value_name = "LABEL")]
    y: String,
    /// Draw what goes up on a logarithmic scale
    #[arg(long)]
    log_y: bool,
    /// The lines: NAME=FILE, and in the file x and y of each point
    #[arg(required = true)]
    lines: Vec<Line>,
}

/// What an axis shows.
#[derive(Clone, Copy)]
pub(crate) struct Axis<'a> {
    pub(crate) label: &'a str,
    pub(crate) scale: Scale,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// From 0.
    Linear,
    /// From the power of ten below the smallest value; all have to be positive.
    Logarithmic,
}

/// What is compared.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl FromStr for Line {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, file) = text.split_once('=').context("use NAME=FILE")?;
        Ok(Self {
            name: name.into(),
            points: trace::read(Path::new(file))?,
        })
    }
}

impl Plot {
    /// Draws it.
    ///
    /// # Errors
    /// Those of [`lines`].
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let x = Axis {
            label: &self.x,
            scale: Scale::Linear,
        };
        let y = Axis {
            label: &self.y,
            scale: if self.log_y {
                Scale::Logarithmic
            } else {
                Scale::Linear
            },
        };
        lines(&self.path, &self.title, x, y, &self.lines)
    }
}

/// Draws lines on white, so that a dark page can show them too, and writes an SVG.
///
/// # Errors
/// No points, or a file that cannot be written.
pub(crate) fn lines(
    path: &Path,
    title: &str,
    x: Axis<'_>,
    y: Axis<'_>,
    lines: &[Line],
) -> anyhow::Result<()> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let across = range(x.scale, points().map(|point| point.0), 1.0)?;
    // Above the highest value is room for the legend.
    let up = range(y.scale, points().map(|point| point.1), 1.3)?;
    let labels = (x.label, y.label);
    match (x.scale, y.scale) {
        (Scale::Linear, Scale::Linear) => draw(path, title, labels, across, up, lines),
        (Scale::Linear, _) => draw(path, title, labels, across, up.log_scale(), lines),
        (_, Scale::Linear) => draw(path, title, labels, across.log_scale(), up, lines),
        _ => draw(
            path,
            title,
            labels,
            across.log_scale(),
            up.log_scale(),
            lines,
        ),
    }
}

/// From where to where an axis goes.
fn range(scale: Scale, values: impl Iterator<Item = f64>, room: f64) -> anyhow::Result<Range<f64>> {
    let (low, high) = values
        .map(|value| (value, value))
        .reduce(|(low, high), (value, _)| (low.min(value), high.max(value)))
        .context("no points")?;
    match scale {
        Scale::Linear => Ok(0.0..high * room),
        Scale::Logarithmic => {
            Ok(10_f64.powf(low.log10().floor())..high * (high / low).powf(room - 1.0))
        }
    }
}

fn draw<X, Y>(
    path: &Path,
    title: &str,
    (across, up): (&str, &str),
    x: X,
    y: Y,
    lines: &[Line],
) -> anyhow::Result<()>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let failed = |error: &dyn std::error::Error| anyhow!("{}: {error}", path.display());
    let area = SVGBackend::new(path, SIZE_PX).into_drawing_area();
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 18))
        .margin(12)
        .margin_right(28)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.15))
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .x_desc(across)
        .y_desc(up)
        .axis_desc_style((FONT, 14))
        .label_style((FONT, 13))
        .draw()
        .map_err(|error| failed(&error))?;
    for (line, colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
        let series = LineSeries::new(line.points.iter().copied(), colour.stroke_width(2));
        chart
            .draw_series(series)
            .map_err(|error| failed(&error))?
            .label(&line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 14))
        .draw()
        .map_err(|error| failed(&error))?;
    area.present().map_err(|error| failed(&error))
}

/// A value on an axis, without the noise of its sum.
fn number(value: &f64) -> String {
    ((value * 1e3).round() / 1e3).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_each_line_whatever_the_scale() {
        let line = |name: &str| Line {
            name: name.into(),
            points: (1..=500)
                .map(|n| (f64::from(n), f64::from(n % 7 + 1)))
                .collect(),
        };
        let drawn = [line("this"), line("that")];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plot.svg");
        for x in [Scale::Linear, Scale::Logarithmic] {
            for y in [Scale::Linear, Scale::Logarithmic] {
                let axis = |label, scale| Axis { label, scale };
                lines(&path, "both", axis("time", x), axis("age", y), &drawn).unwrap();
                let svg = std::fs::read_to_string(&path).unwrap();
                assert!(!svg.contains(".0\n"), "digits that say nothing");
                for text in ["both", "time", "age", "this", "that"] {
                    assert!(svg.contains(text), "{text}");
                }
                // A line of each, and one of each in the legend.
                assert_eq!(svg.matches("stroke-width=\"2\"").count(), 2);
                assert_eq!(svg.matches("stroke-width=\"3\"").count(), 2);
                assert!(svg.len() < 40_000, "{}", svg.len());
            }
        }
        assert!(
            lines(
                &path,
                "",
                Axis {
                    label: "",
                    scale: Scale::Linear
                },
                Axis {
                    label: "",
                    scale: Scale::Linear
                },
                &[]
            )
            .is_err()
        );
    }
}
