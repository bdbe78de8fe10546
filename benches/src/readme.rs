//! Puts tables and plots into the README.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::report::Report;

/// The root of the repository that this program was built from.
pub(crate) fn root() -> Result<PathBuf, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(root.ok_or("the bench has a workspace")?.to_owned())
}

/// Writes a report to its place in the README, and its plots to their files.
pub(crate) fn update(name: &str, report: &Report) -> Result<(), Box<dyn Error>> {
    let root = root()?;
    let path = root.join("README.md");
    let text = fs::read_to_string(&path)?;
    fs::write(&path, replaced(&text, name, &report.markdown)?)?;
    for (file, svg) in &report.plots {
        fs::write(root.join("docs").join(file), svg)?;
    }
    Ok(())
}

fn replaced(text: &str, name: &str, markdown: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- loom-bench {name} -->\n"), format!("<!-- end of {name} -->"));
    let missing = || format!("the README has no place for `{name}`: {begin}…{end}");
    let from = text.find(&begin).ok_or_else(missing)? + begin.len();
    let to = from + text[from..].find(&end).ok_or_else(missing)?;
    // Collapses several empty lines into one.
    let mut body = markdown.trim().to_owned();
    while body.contains("\n\n\n") {
        body = body.replace("\n\n\n", "\n\n");
    }
    Ok(format!("{}\n{body}\n\n{}", &text[..from], &text[to..]))
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
}
