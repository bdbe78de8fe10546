//! Puts tables and plots into `docs/benchmarks.md`, and the first of them into the README.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::report::Report;

const PAGE: &str = "docs/benchmarks.md";
const FRONT: &str = "README.md";
/// How a table says that a bar was not met.
const SHORT: &str = "**falls short**";
/// The rows of the README's table: the names in the bench, and there.
const ROWS: [(&str, &str); 4] = [
    ("tokio", "inline on tokio"),
    ("spawn_blocking", "`spawn_blocking`"),
    ("tokio-rayon 2+2", "tokio-rayon, 2 + 2 threads"),
    ("loom", "**Loom**"),
];
/// Its columns.
const COLUMNS: [(&str, &str); 3] = [
    ("fast p99", "quick requests, p99"),
    ("heavy p99", "computing requests, p99"),
    ("overload: fast p99", "at overload: quick requests, p99"),
];

/// The root of the repository that this program was built from.
pub(crate) fn root() -> Result<PathBuf, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(root.ok_or("the bench has a workspace")?.to_owned())
}

/// Writes a report to its place on the page, its plots to their files, and what they change elsewhere.
pub(crate) fn update(name: &str, report: &Report) -> Result<(), Box<dyn Error>> {
    let root = root()?;
    let page = root.join(PAGE);
    let text = replaced(&fs::read_to_string(&page)?, name, &report.markdown)?;
    let short = short(&text);
    fs::write(&page, replaced(&text, "short", &short)?)?;
    for (file, svg) in &report.plots {
        fs::write(root.join("docs").join(file), svg)?;
    }
    if name == "http" {
        let readme = root.join(FRONT);
        let text = fs::read_to_string(&readme)?;
        fs::write(&readme, replaced(&text, name, &front(&report.markdown)?)?)?;
    }
    Ok(())
}

fn replaced(text: &str, name: &str, markdown: &str) -> Result<String, String> {
    let [from, to] = place(text, name)?;
    // Collapses several empty lines into one.
    let mut body = markdown.trim().to_owned();
    while body.contains("\n\n\n") {
        body = body.replace("\n\n\n", "\n\n");
    }
    Ok(format!("{}\n{body}\n\n{}", &text[..from], &text[to..]))
}

/// Where a section's text begins and ends.
fn place(text: &str, name: &str) -> Result<[usize; 2], String> {
    let (begin, end) = (format!("<!-- loom-bench {name} -->\n"), format!("<!-- end of {name} -->"));
    let missing = || format!("the page has no place for `{name}`: {begin}…{end}");
    let from = text.find(&begin).ok_or_else(missing)? + begin.len();
    let to = from + text[from..].find(&end).ok_or_else(missing)?;
    Ok([from, to])
}

/// The rows of all sections whose bars were not met, as a list.
fn short(text: &str) -> String {
    let mut section = "";
    let mut rows = Vec::new();
    for line in text.lines() {
        let name = line.strip_prefix("<!-- loom-bench ").and_then(|rest| rest.strip_suffix(" -->"));
        section = name.unwrap_or(section);
        if section != "short" && line.contains(SHORT) {
            let row = line.trim_matches([' ', '|']).replace(" | ", ", ").replace(SHORT, "");
            rows.push(format!(
                "- `{section}`: {}",
                row.trim_end_matches([' ', ',', ':', '.', ';'])
            ));
        }
    }
    if rows.is_empty() { "None.".to_owned() } else { rows.join("\n") }
}

/// The README's table, from the first one of the report.
fn front(markdown: &str) -> Result<String, String> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut table = markdown.lines().filter(|line| line.starts_with('|')).map(cells);
    let head = table.next().ok_or("the report has no table")?;
    let rows: Vec<_> = table.collect();
    let mut lines = vec![format!("| | {} |", COLUMNS.map(|(_, there)| there).join(" | "))];
    lines.push("| --- | ---: | ---: | ---: |".to_owned());
    for (name, there) in ROWS {
        let row = rows.iter().find(|row| row[0] == name);
        let row = row.ok_or_else(|| format!("the report has no row `{name}`"))?;
        let mut cells = vec![there];
        for (column, _) in COLUMNS {
            let at = head.iter().position(|cell| cell == column);
            let cell = at.and_then(|at| row.get(at));
            cells.push(cell.ok_or_else(|| format!("no column `{column}`"))?);
        }
        lines.push(format!("| {} |", cells.join(" | ")));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let text = "a\n<!-- loom-bench x -->\nold\n<!-- end of x -->\nb";
        let new = "a\n<!-- loom-bench x -->\n\nnew\n\nmore\n\n<!-- end of x -->\nb";
        assert_eq!(replaced(text, "x", "\nnew\n\n\nmore\n").as_deref(), Ok(new));
        assert_eq!(replaced(new, "x", "new\n\nmore").as_deref(), Ok(new), "and again");
        assert!(replaced(text, "y", "").is_err());
    }

    #[test]
    fn what_falls_short_is_listed_with_its_section() {
        let text =
            "<!-- loom-bench micro -->\n| a | 1.2 | ≤ 1 | **falls short** |\n| b | 1 | holds |";
        assert_eq!(short(text), "- `micro`: a, 1.2, ≤ 1");
        assert_eq!(short("| b | holds |"), "None.");
    }

    #[test]
    fn the_front_page_has_some_rows_and_columns() {
        let report = "Times.\n\n|  | fast p50 | fast p99 | heavy p99 | overload: fast p99 |\n| --- |\n\
                      | tokio | 1 | 2 | 3 | 4 |\n| spawn_blocking | 1 | 2 | 3 | 4 |\n\
                      | tokio-rayon 2+2 | 1 | 2 | 3 | 4 |\n| loom | 5 | 6 | 7 | 8 |\n";
        let table = front(report).expect("it has all of them");
        assert!(table.ends_with("\n| **Loom** | 6 | 7 | 8 |"), "{table}");
        assert!(front("| | fast p99 |\n").is_err());
    }
}
