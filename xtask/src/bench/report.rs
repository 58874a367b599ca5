//! The table and the plot of a run of `cargo xtask bench`, on the terminal and in `docs/performance.md`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::record;
use super::results::Results;
use crate::process::Failed;

/// Where the files of all runs are.
const FOLDER: &str = "bench/results";
const PAGE: &str = "docs/performance.md";
const PLOT: &str = "docs/performance.svg";

/// The part of the page that the command writes is between these lines.
const BEGIN: &str = "<!-- Written by `cargo xtask bench` from here on: -->\n";
const END: &str = "<!-- up to here. -->\n";

/// The table, what is beside it, and the bars, in Markdown, which a terminal shows well enough.
pub(crate) fn text(results: &Results) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{}, commit {}: {}. {} sessions in each store; medians of {} interleaved rounds of {} s.\n\n",
        results.date, results.commit, results.machine, results.sessions, results.rounds, results.seconds
    );
    text += "| | requests/s | × raw hyper | × dropshot | CPU µs per request | p50 µs | p99 µs | errors |\n";
    text += "|---|--:|--:|--:|--:|--:|--:|--:|\n";
    let optional =
        |value: Option<f64>, decimals| value.map_or_else(String::new, |value| format!("{value:.decimals$}"));
    for row in &results.scenarios {
        let _ = writeln!(
            text,
            "| {} | {:.0} | {} | {} | {} | {:.0} | {:.0} | {} |",
            row.what,
            row.requests_per_second,
            optional(row.vs_hyper, 2),
            optional(row.vs_dropshot, 2),
            optional(row.cpu_us, 1),
            row.p50_us,
            row.p99_us,
            row.errors
        );
    }
    if let Some(memory) = results.memory {
        let _ = write!(
            text,
            "\nMemory of sessiond, embedded, with the default cache: {:.0} MB resident ({:.0} MB anonymous, {:.0} MB of \
             mapped files), and {:.0} MB at most in the whole run.\n",
            memory.resident_mb, memory.anonymous_mb, memory.file_mb, memory.peak_mb
        );
    }
    text += "\n| what must hold | bar | measured | |\n|---|--:|--:|---|\n";
    for bar in &results.bars {
        let limit = match (bar.at_least, bar.at_most) {
            (Some(limit), _) => format!("≥ {limit}"),
            (_, Some(limit)) => format!("≤ {limit}"),
            (None, None) => String::new(),
        };
        let _ =
            writeln!(text, "| {} | {limit} | {} | {} |", bar.what, optional(bar.measured, 2), bar.verdict());
    }
    for note in &results.notes {
        let _ = write!(text, "\n{note}\n");
    }
    let versions: Vec<String> =
        results.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let _ = write!(text, "\nVersions: {}.\n", versions.join(", "));
    text
}

/// A bar for each row, as long as its requests per second, relative to raw hyper. Its colours can be read on a light and on
/// a dark page.
fn plot(results: &Results) -> String {
    const WIDTH: f64 = 340.0;
    const LEFT: f64 = 400.0;
    const STEP: f64 = 26.0;
    let rows: Vec<_> = results.scenarios.iter().filter_map(|row| Some((row, row.vs_hyper?))).collect();
    let longest = rows.iter().map(|(_, ratio)| *ratio).fold(1.0, f64::max);
    #[expect(clippy::cast_precision_loss, reason = "the number of rows")]
    let height = (rows.len() as f64) * STEP + 34.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 {height:.0}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>Requests per second, relative to raw hyper</title>\n\
         <style>text {{ fill: #57606a }} .baseline {{ fill: #8c959f }} .sessiond {{ fill: #2f81f7 }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #c9d1d9 }} }}</style>\n\
         <text x=\"{LEFT}\" y=\"18\">requests per second, relative to raw hyper</text>\n"
    );
    let mut top = 30.0;
    for (row, ratio) in rows {
        let class = if row.what.starts_with("sessiond") { "sessiond" } else { "baseline" };
        let length = WIDTH * ratio / longest;
        let (middle, left, right) = (top + 14.0, LEFT - 8.0, LEFT + length + 6.0);
        let what = escaped(&row.what);
        let _ = write!(
            svg,
            "<text x=\"{left}\" y=\"{middle}\" text-anchor=\"end\">{what}</text>\n\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{top}\" width=\"{length:.1}\" height=\"18\"/>\n\
             <text x=\"{right:.1}\" y=\"{middle}\">{ratio:.2}</text>\n"
        );
        top += STEP;
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Writes the file of a run below the repository's folder, and with it the page and its plot.
pub(crate) fn write(results: &Results, root: &Path) -> Result<PathBuf, Failed> {
    let write = |path: &Path, text: &str| {
        std::fs::create_dir_all(path.parent().unwrap_or(path))
            .and_then(|()| std::fs::write(path, text))
            .map_err(|error| Failed(format!("{} cannot be written: {error}", path.display())))
    };
    let json = serde_json::to_string_pretty(results).map_err(|error| Failed(error.to_string()))?;
    let file = root.join(FOLDER).join(format!("{}.json", results.date));
    write(&file, &(json + "\n"))?;
    let page = read(&root.join(PAGE))?;
    write(&root.join(PAGE), &replaced(&page, &part(Some(results)))?)?;
    write(&root.join(PLOT), &plot(results))?;
    Ok(file)
}

/// What the page has between its two lines.
fn part(results: Option<&Results>) -> String {
    let Some(results) = results else { return "\nNot measured yet.\n\n".to_owned() };
    format!(
        "\n![Requests per second of each row, relative to raw hyper](performance.svg)\n\n{}\n",
        text(results)
    )
}

fn read(path: &Path) -> Result<String, Failed> {
    std::fs::read_to_string(path)
        .map_err(|error| Failed(format!("{} cannot be read: {error}", path.display())))
}

/// The page with another part between its two lines.
fn replaced(page: &str, part: &str) -> Result<String, Failed> {
    record::replaced(page, BEGIN, END, part)
        .ok_or_else(|| Failed(format!("{PAGE} lacks the lines between which the table is written")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::results::{Measured, bars, relate};
    use super::super::scenario::Round;
    use super::*;
    use crate::process::root;

    fn results() -> Results {
        let round = |requests_per_second, cpu_us| Round {
            requests_per_second,
            cpu_us,
            p50_us: 512.0,
            p99_us: 1024.0,
            errors: 0,
        };
        let mut scenarios = vec![
            Measured::of("hyper", "raw hyper", &[round(100_000.0, Some(7.54))]),
            Measured::of("dropshot", "dropshot <const>", &[round(80_000.0, Some(10.0))]),
            Measured::of("key-hot", "sessiond, hits", &[round(65_000.0, Some(11.5))]),
            Measured::of("postgres-pool", "a pool", &[round(9_000.0, None)]),
        ];
        relate(&mut scenarios);
        let bars = bars(&scenarios, None);
        Results {
            date: "2026-01-02".to_owned(),
            commit: "abc".to_owned(),
            machine: "a machine".to_owned(),
            versions: BTreeMap::from([("wrk".to_owned(), "4.1.0".to_owned())]),
            sessions: 1000,
            rounds: 5,
            seconds: 5,
            scenarios,
            memory: None,
            bars,
            notes: vec!["redis was not measured: it is not installed.".to_owned()],
        }
    }

    #[test]
    fn the_table_has_each_row_with_its_ratios_and_the_bars_say_whether_they_are_reached() {
        let text = text(&results());
        for line in [
            "| raw hyper | 100000 | 1.00 | 1.25 | 7.5 | 512 | 1024 | 0 |",
            "| sessiond, hits | 65000 | 0.65 | 0.81 | 11.5 | 512 | 1024 | 0 |",
            "| a pool | 9000 | 0.09 | 0.11 |  | 512 | 1024 | 0 |",
            "| embedded, hits: requests/s, × raw hyper | ≥ 0.6 | 0.65 | reached |",
            "| 4,096 connections: errors | ≤ 0 |  | not measured |",
            "redis was not measured: it is not installed.",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }

    #[test]
    fn the_plot_has_a_bar_for_each_row_in_proportion_to_raw_hyper() {
        let svg = plot(&results());
        assert_eq!(svg.matches("<rect ").count(), 4);
        assert!(svg.contains("class=\"baseline\" x=\"400\" y=\"30\" width=\"340.0\""), "{svg}");
        assert!(svg.contains("class=\"sessiond\" x=\"400\" y=\"82\" width=\"221.0\""), "{svg}");
        assert!(svg.contains("dropshot &lt;const>"), "{svg}");
    }

    #[test]
    fn a_run_survives_being_written_and_read() {
        let json = serde_json::to_string(&results()).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&json).unwrap(), results());
    }

    #[test]
    fn a_page_without_the_lines_is_not_overwritten() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        assert_eq!(replaced(&page, "new\n").unwrap(), format!("before\n{BEGIN}new\n{END}after\n"));
        assert!(replaced("something else", "new\n").is_err());
    }

    /// What the page and the plot are not, given the files of the runs below this folder.
    fn stale(root: &Path) -> Vec<&'static str> {
        let files =
            std::fs::read_dir(root.join(FOLDER)).into_iter().flatten().map(|entry| entry.unwrap().path());
        // Named by their days; those of growth and writes begin with these words.
        let is_run = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(|first: char| first.is_ascii_digit()) && name.ends_with(".json")
        };
        let newest = files.filter(is_run).max();
        let results: Option<Results> =
            newest.map(|path| serde_json::from_str(&read(&path).unwrap()).unwrap());
        let page = read(&root.join(PAGE)).unwrap();
        let svg = read(&root.join(PLOT)).ok();
        let same = [
            (PAGE, page == replaced(&page, &part(results.as_ref())).unwrap()),
            (PLOT, svg == results.as_ref().map(plot)),
        ];
        same.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }

    #[test]
    fn the_page_and_its_plot_are_those_of_the_newest_run() {
        assert!(stale(&root()).is_empty(), "{:?}: run `cargo xtask bench`", stale(&root()));
    }

    #[test]
    fn a_run_writes_its_file_the_page_and_the_plot_and_a_change_of_any_of_them_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("docs")).unwrap();
        std::fs::write(root.join(PAGE), format!("by hand\n{BEGIN}\nNot measured yet.\n\n{END}by hand\n"))
            .unwrap();
        assert!(stale(root).is_empty());
        let file = write(&results(), root).unwrap();
        assert_eq!(file, root.join("bench/results/2026-01-02.json"));
        assert!(stale(root).is_empty());
        let page = read(&root.join(PAGE)).unwrap();
        assert!(page.starts_with("by hand\n") && page.ends_with("by hand\n"), "{page}");

        std::fs::write(root.join(PAGE), page.replace("65000", "95000")).unwrap();
        assert_eq!(stale(root), [PAGE]);
        write(&Results { rounds: 6, ..results() }, root).unwrap();
        assert!(stale(root).is_empty());
        std::fs::remove_file(root.join(PLOT)).unwrap();
        assert_eq!(stale(root), [PLOT]);
        std::fs::remove_file(file).unwrap();
        assert_eq!(stale(root), [PAGE]);
    }
}
