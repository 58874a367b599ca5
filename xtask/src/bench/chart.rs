//! A chart of lines as SVG. Its vertical axis is logarithmic, and the points of a line are equally far apart.

use std::fmt::Write;

/// The size of the picture.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;

/// The space around the lines: on the left for numbers, on the right for names.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 40.0;

/// Colours that differ for people who see few of them, too (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// A line: its name, and a value greater than 0 for each point.
pub(super) type Line = (String, Vec<f64>);

/// A chart with this title, the names of the points below, and a line for each series of values.
pub(super) fn chart(title: &str, points: &[String], lines: &[Line]) -> String {
    let values = || lines.iter().flat_map(|(_, values)| values.iter().copied()).filter(|value| *value > 0.0);
    let lowest = values().fold(f64::MAX, f64::min).log10().floor();
    let highest = values().fold(f64::MIN, f64::max).log10().ceil().max(lowest + 1.0);
    #[expect(clippy::cast_precision_loss, reason = "a handful of points")]
    let x = |place: usize| LEFT + (WIDTH - LEFT - RIGHT) * place as f64 / (points.len().max(2) - 1) as f64;
    let y = |value: f64| {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value.log10() - lowest) / (highest - lowest)
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{title}</text>\n"
    );
    // Writing to a string cannot fail.
    let mut add = |text: String| {
        let _ = writeln!(svg, "{text}");
    };
    let mut power = lowest;
    while power <= highest {
        let at = y(10_f64.powf(power));
        let right = WIDTH - RIGHT;
        add(format!("<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>"));
        let (x, at, number) = (LEFT - 8.0, at + 4.0, 10_f64.powf(power));
        add(format!("<text x=\"{x}\" y=\"{at:.1}\" text-anchor=\"end\">{number}</text>"));
        power += 1.0;
    }
    for (place, name) in points.iter().enumerate() {
        let (x, y) = (x(place), HEIGHT - 14.0);
        add(format!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{name}</text>"));
    }
    // The lowest name first; the others above it, so that no two overlap.
    let mut names: Vec<(f64, &str, &str)> = Vec::new();
    for ((name, values), colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
        let corners: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(place, value)| format!("{:.1},{:.1}", x(place), y(*value)))
            .collect();
        add(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            corners.join(" ")
        ));
        names.extend(values.last().map(|last| (y(*last) + 4.0, name.as_str(), colour)));
    }
    names.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut below = f64::MAX;
    for (wanted, name, colour) in names {
        let at = wanted.min(below - 16.0);
        below = at;
        let x = WIDTH - RIGHT + 8.0;
        add(format!("<text x=\"{x}\" y=\"{at:.1}\" fill=\"{colour}\">{name}</text>"));
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_point_for_each_value_and_ten_times_as_much_is_one_step_higher() {
        let points = ["one", "two", "three"].map(str::to_owned);
        let svg = chart("t", &points, &[("fetch".to_owned(), vec![1.0, 10.0, 100.0])]);
        assert!(svg.contains("points=\"70.0,380.0 340.0,210.0 610.0,40.0\""), "{svg}");
        for text in ["one", "two", "three", "fetch"] {
            assert!(svg.contains(&format!(">{text}</text>")), "{svg}");
        }
    }

    #[test]
    fn names_of_lines_that_end_at_the_same_value_do_not_overlap() {
        let points = ["one", "two"].map(str::to_owned);
        let svg = chart("t", &points, &[("a".to_owned(), vec![1.0, 5.0]), ("b".to_owned(), vec![2.0, 5.0])]);
        let place = |name: &str| {
            let line = svg.lines().find(|line| line.ends_with(&format!(">{name}</text>"))).unwrap();
            line.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap()
        };
        assert!((place("a") - place("b")).abs() >= 15.9, "{svg}");
    }
}
