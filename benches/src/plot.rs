//! SVG plots that are legible on a light and on a dark page.

use std::error::Error;
use std::ops::Range;

use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;

/// The contenders' colours, by Okabe and Ito, which most people can tell apart.
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(120, 120, 120),
    RGBColor(160, 120, 20),
];
/// Legible on white and on black.
const INK: RGBColor = RGBColor(118, 118, 118);
const SIZE: (u32, u32) = (800, 420);

type Lines<'a> = [(&'a str, Vec<(usize, f64)>)];

/// A line per contender: nanoseconds by the number of workers.
pub(crate) fn costs(title: &str, lines: &Lines<'_>) -> Result<String, Box<dyn Error>> {
    let most = lines.iter().flat_map(|(_, points)| points).map(|(at, _)| *at).max().unwrap_or(1);
    let label = |at: usize| if at == 1 { "1 worker".into() } else { format!("{at} workers") };
    draw(title, "ns a call", lines, 1..most, &label)
}

/// A line per contender: values at named positions of the axis.
pub(crate) fn places(
    title: &str,
    unit: &str,
    names: &[&str],
    lines: &Lines<'_>,
) -> Result<String, Box<dyn Error>> {
    let label = |at: usize| names.get(at).copied().unwrap_or_default().to_owned();
    draw(title, unit, lines, 0..names.len() - 1, &label)
}

/// A bar per name and workload.
pub(crate) fn bars(
    title: &str,
    names: &[&str],
    bars: &[(&str, Vec<f64>)],
) -> Result<String, Box<dyn Error>> {
    const LEFT: i32 = 190;
    const ROW: i32 = 15;
    let values = || bars.iter().flat_map(|(_, values)| values).copied();
    let most = values().filter(|value| value.is_finite()).fold(2.0, f64::max);
    let row_height = ROW * i32::try_from(bars.len())? + 12;
    let height = 80 + row_height * i32::try_from(names.len())?;
    // Bars start at 1, which equals the better arm, on a logarithmic scale; smaller values go left.
    let least = values().filter(|value| *value > 0.0).fold(1.0, f64::min);
    let width = f64::from(SIZE.0) - f64::from(LEFT) - 70.0;
    let at = |value: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "pixels")]
        let x = ((value / least).ln() / (most / least).ln() * width) as i32;
        LEFT + x
    };
    let mut svg = String::new();
    {
        let size = (SIZE.0, u32::try_from(height)?);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let style = |size: i32| ("sans-serif", size).into_font().color(&INK);
        area.draw(&Text::new(title.to_owned(), (10, 8), style(18)))?;
        for (i, (name, _)) in (0_i32..).zip(bars) {
            let (x, color) = (10 + 150 * i, COLORS[usize::try_from(i)? % COLORS.len()]);
            area.draw(&Rectangle::new([(x, 38), (x + 12, 50)], color.filled()))?;
            area.draw(&Text::new((*name).to_owned(), (x + 18, 37), style(14)))?;
        }
        let (one, top) = (at(1.0), 62);
        area.draw(&PathElement::new([(one, top), (one, height - 10)], INK.stroke_width(1)))?;
        for (row, name) in (0_i32..).zip(names) {
            let y = top + 6 + row * row_height;
            let middle = y + row_height / 2 - 16;
            area.draw(&Text::new((*name).to_owned(), (10, middle), style(13)))?;
            for (i, (_, values)) in (0_i32..).zip(bars) {
                let value = values[usize::try_from(row)?];
                let color = COLORS[usize::try_from(i)? % COLORS.len()];
                let (from, to) = (one.min(at(value)), one.max(at(value)).max(one + 1));
                let (upper, lower) = (y + i * ROW, y + i * ROW + ROW - 3);
                area.draw(&Rectangle::new([(from, upper), (to, lower)], color.filled()))?;
                area.draw(&Text::new(format!("{value:.2}"), (to + 5, upper - 1), style(12)))?;
            }
        }
        area.present()?;
    }
    Ok(svg)
}

fn draw(
    title: &str,
    unit: &str,
    lines: &Lines<'_>,
    x: Range<usize>,
    label: &dyn Fn(usize) -> String,
) -> Result<String, Box<dyn Error>> {
    let values = || lines.iter().flat_map(|(_, points)| points).map(|(_, y)| *y);
    let finite = || values().filter(|y| y.is_finite() && *y > 0.0);
    let low = finite().fold(f64::INFINITY, f64::min).min(1e9) / 1.5;
    let high = finite().fold(0.0, f64::max).max(low * 2.0) * 1.5;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        #[expect(clippy::cast_precision_loss, reason = "a few places")]
        let range = (x.start as f64 - 0.15)..(x.end as f64 + 0.15);
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18).into_font().color(&INK))
            .margin(10)
            .margin_right(190)
            .x_label_area_size(32)
            .y_label_area_size(70)
            .build_cartesian_2d(range, (low..high).log_scale())?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a few places"
        )]
        let x_label = |at: &f64| {
            let whole = at.round();
            if (at - whole).abs() < 0.01 && whole >= x.start as f64 && whole <= x.end as f64 {
                label(whole as usize)
            } else {
                String::new()
            }
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(x.end - x.start + 1)
            .x_label_formatter(&x_label)
            .y_desc(format!("{unit} (logarithmic)"))
            .y_label_formatter(&|y| short(*y))
            .axis_style(INK)
            .bold_line_style(INK.mix(0.35))
            .light_line_style(INK.mix(0.12))
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .axis_desc_style(("sans-serif", 13).into_font().color(&INK))
            .draw()?;
        for (i, (_, points)) in lines.iter().enumerate() {
            let color = COLORS[i % COLORS.len()];
            #[expect(clippy::cast_precision_loss, reason = "a few places")]
            let points: Vec<(f64, f64)> = points
                .iter()
                .filter(|(_, y)| y.is_finite() && *y > 0.0)
                .map(|(x, y)| (*x as f64, *y))
                .collect();
            chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
            chart.draw_series(points.iter().map(|at| Circle::new(*at, 3, color.filled())))?;
        }
        legend(&area, lines)?;
        area.present()?;
    }
    Ok(svg)
}

/// Names in the lines' colours, at the right, in the order of the lines' ends.
fn legend(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    lines: &Lines<'_>,
) -> Result<(), String> {
    let last = |i: usize| lines[i].1.last().map_or(0.0, |(_, y)| *y);
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by(|a, b| last(*b).total_cmp(&last(*a)));
    for (row, i) in (0_i32..).zip(order) {
        let (x, y) = (625, 60 + 24 * row);
        let color = COLORS[i % COLORS.len()];
        let said = |error: DrawingAreaErrorKind<_>| error.to_string();
        area.draw(&PathElement::new([(x, y + 6), (x + 22, y + 6)], color.stroke_width(2)))
            .map_err(said)?;
        area.draw(&Circle::new((x + 11, y + 6), 3, color.filled())).map_err(said)?;
        let style = ("sans-serif", 14).into_font().color(&INK);
        area.draw(&Text::new(lines[i].0.to_owned(), (x + 30, y), style)).map_err(said)?;
    }
    Ok(())
}

fn short(y: f64) -> String {
    match y {
        _ if y >= 1e6 => format!("{:.0} M", y / 1e6),
        _ if y >= 1e3 => format!("{:.0} k", y / 1e3),
        _ if y >= 10.0 => format!("{y:.0}"),
        _ if y >= 1.0 => format!("{y:.1}"),
        _ => format!("{y:.2}"),
    }
}
