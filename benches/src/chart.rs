//! A report as one HTML page with bars, which needs nothing else to be looked at.

use crate::machine;
use crate::report::{Line, Report};
use std::fmt::Write;

/// The colours of the sides in order; ours first.
const COLOURS: [&str; 6] = ["#1f6feb", "#d29922", "#6e7781", "#2da44e", "#bf3989", "#8250df"];

/// The page.
pub fn page(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\n<style>\n\
         body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2em; max-width: 60em }}\n\
         table {{ border-collapse: collapse; width: 100% }} td, th {{ padding: 2px 8px; text-align: right }}\n\
         th:first-child, td:first-child {{ text-align: left }} td.bars {{ width: 45%; text-align: left }}\n\
         .bar {{ height: 8px; margin: 1px 0; min-width: 1px }} .better {{ color: #2da44e }} .worse {{ color: #cf222e }}\n\
         </style>\n<h1>{title}</h1>\n<p>{machine}</p>\n<ul>\n",
        title = escaped(&report.title),
        machine = escaped(&machine::described())
    );
    for (at, side) in report.sides.iter().enumerate() {
        let memory =
            side.peak_memory_bytes.map_or_else(String::new, |bytes| format!(", peak memory {} MB", bytes >> 20));
        let cpu = side.cpu_seconds.map_or_else(String::new, |seconds| format!(", CPU {seconds:.1} s"));
        let load = side.load_ms.map_or_else(String::new, |ms| format!(", load {:.1} s", ms / 1e3));
        let _ = writeln!(
            page,
            "<li><span style=\"color:{}\">&#9632;</span> {} ({}){load}{memory}{cpu}</li>",
            colour(at),
            escaped(&side.name),
            escaped(&side.version)
        );
    }
    page.push_str("</ul>\n<table><tr><th></th><th class=\"bars\">median, ms</th>");
    for (at, side) in report.sides.iter().enumerate() {
        let _ = write!(page, "<th>{} ms</th>", escaped(&side.name));
        if at > 0 {
            page.push_str("<th>ratio</th>");
        }
    }
    let columns = report.columns();
    for column in &columns {
        let _ = write!(page, "<th>{}</th>", escaped(&column.heading(report)));
    }
    page.push_str("</tr>\n");
    let longest = report.lines.iter().flat_map(Line::medians).flatten().fold(1e-9, f64::max);
    for line in &report.lines {
        let values: Vec<_> = columns.iter().map(|column| column.value(line)).collect();
        push_row(&mut page, &line.name, &line.medians(), longest, &values);
    }
    for (name, values) in [("sum", report.sums()), ("geometric mean", report.geometric_means())] {
        let longest = values.iter().copied().fold(1e-9, f64::max);
        let values: Vec<_> = values.into_iter().map(Some).collect();
        push_row(&mut page, name, &values, longest, &vec![None; columns.len()]);
    }
    page.push_str("</table>\n");
    if let Some(missing) = report.incomplete() {
        let _ = writeln!(page, "<p>{missing}:</p>\n<ul>");
        for (line, side, problem) in report.problems() {
            let _ = writeln!(page, "<li>{} {}: {}</li>", escaped(&line.name), escaped(&side.name), escaped(problem));
        }
        page.push_str("</ul>\n");
    }
    page.push_str("</html>\n");
    page
}

fn push_row(page: &mut String, name: &str, medians: &[Option<f64>], longest: f64, measures: &[Option<String>]) {
    let _ = write!(page, "<tr><td>{}</td><td class=\"bars\">", escaped(name));
    for (at, ms) in medians.iter().enumerate() {
        let width = ms.unwrap_or(0.0) / longest * 100.0;
        let _ = write!(page, "<div class=\"bar\" style=\"width:{width:.2}%;background:{}\"></div>", colour(at));
    }
    page.push_str("</td>");
    for (at, ms) in medians.iter().enumerate() {
        let _ = write!(page, "<td>{}</td>", shown(ms.map(|ms| format!("{ms:.1}"))));
        if at > 0 {
            let ratio = medians[0].zip(*ms).map(|(ours, ms)| ours / ms);
            let class = if ratio.is_some_and(|ratio| ratio > 1.0) { "worse" } else { "better" };
            let _ = write!(page, "<td class=\"{class}\">{}</td>", shown(ratio.map(|ratio| format!("{ratio:.3}"))));
        }
    }
    for measure in measures {
        let _ = write!(page, "<td>{}</td>", shown(measure.clone()));
    }
    page.push_str("</tr>\n");
}

fn shown(value: Option<String>) -> String {
    value.unwrap_or_default()
}

fn colour(side: usize) -> &'static str {
    COLOURS[side % COLOURS.len()]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Side;

    #[test]
    fn names_are_no_markup_and_bars_are_in_proportion() {
        let mut line = Line { times_ms: vec![vec![10.0], vec![40.0]], ..Line::new("<Q1>", 2) };
        line.measures[0].rows_read = Some(77);
        let mut failed = Line::new("Q2", 2);
        failed.problems[1] = Some("no <function>".to_owned());
        let sides = vec![Side::named("managed"), Side::named("duckdb")];
        let page = page(&Report { title: "a & b".to_owned(), sides, lines: vec![line, failed] });
        for part in [
            "<td>77</td>",
            "duckdb: no &lt;function&gt;",
            "a &amp; b",
            " cores, ",
            "&lt;Q1&gt;",
            "width:25.00%",
            "width:100.00%",
            "class=\"better\">0.250",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }
}
