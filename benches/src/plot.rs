//! Draws the measurements as SVG, which browsers and READMEs show: bars to compare, lines to show growth.

use std::path::Path;

use plotters::prelude::*;

const SIZE: (u32, u32) = (900, 480);
/// The colour of cacheado, which stands out from the others.
const OURS: RGBColor = RGBColor(200, 40, 40);

/// A contender's values, by number of threads.
pub(crate) struct Line {
    name: String,
    pub(crate) points: Vec<(usize, f64)>,
}

impl Line {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            points: Vec::new(),
        }
    }
}

/// A bar, from zero to a value.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
}

/// A title as a part of a file name: letters and digits, with a `-` for everything in between.
pub(crate) fn file_name(title: &str) -> String {
    let words: Vec<&str> = title
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-").to_lowercase()
}

fn is_ours(name: &str) -> bool {
    name.starts_with("cacheado")
}

fn failed(path: &Path) -> impl Fn(DrawingAreaErrorKind<std::io::Error>) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// Horizontal bars, each with its name and its value.
pub(crate) fn bars(path: &Path, title: &str, unit: &str, bars: &[Bar]) -> Result<(), String> {
    let failed = failed(path);
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let rows = i32::try_from(bars.len()).unwrap_or(i32::MAX);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(&failed)?;
    let names: Vec<&str> = bars.iter().map(|bar| bar.name.as_str()).collect();
    let name = |row: &SegmentValue<i32>| match row {
        SegmentValue::CenterOf(row) => usize::try_from(*row)
            .ok()
            .and_then(|row| names.get(row))
            .map_or(String::new(), |name| (*name).to_owned()),
        _ => String::new(),
    };
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(130)
        .build_cartesian_2d(0.0..most * 1.12, (0..(rows - 1).max(1)).into_segmented())
        .map_err(&failed)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_desc(unit)
        .y_labels(bars.len())
        .y_label_formatter(&name)
        .draw()
        .map_err(&failed)?;
    let fill = |bar: &Bar| {
        if is_ours(&bar.name) {
            OURS.filled()
        } else {
            RGBColor(120, 140, 170).filled()
        }
    };
    chart
        .draw_series((0..rows).zip(bars).map(|(row, bar)| {
            let corners = [
                (0.0, SegmentValue::Exact(row)),
                (bar.value, SegmentValue::Exact(row + 1)),
            ];
            let mut rectangle = Rectangle::new(corners, fill(bar));
            rectangle.set_margin(4, 4, 0, 0);
            rectangle
        }))
        .map_err(&failed)?;
    chart
        .draw_series((0..rows).zip(bars).map(|(row, bar)| {
            let place = (bar.value + most * 0.01, SegmentValue::CenterOf(row));
            Text::new(format!("{:.1}", bar.value), place, ("sans-serif", 13))
        }))
        .map_err(&failed)?;
    area.present().map_err(&failed)
}

/// Lines over the number of threads.
pub(crate) fn lines(
    path: &Path,
    title: &str,
    (across, up): (&str, &str),
    lines: &[Line],
) -> Result<(), String> {
    let failed = failed(path);
    let points = || lines.iter().flat_map(|line| &line.points);
    let most = points().map(|point| point.1).fold(0.0, f64::max);
    let widest = points().map(|point| point.0).max().unwrap_or(1);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(&failed)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(1..widest, 0.0..most * 1.05)
        .map_err(&failed)?;
    chart
        .configure_mesh()
        .x_desc(across)
        .y_desc(up)
        .draw()
        .map_err(&failed)?;
    for (nth, line) in lines.iter().enumerate() {
        let style = if is_ours(&line.name) {
            OURS.stroke_width(3)
        } else {
            Palette99::pick(nth).stroke_width(1)
        };
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style))
            .map_err(&failed)?
            .label(line.name.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()
        .map_err(&failed)?;
    area.present().map_err(&failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_plain() {
        assert_eq!(
            file_name("(&str, u64) -> Arc<str>, 99 %"),
            "str-u64-arc-str-99"
        );
    }
}
