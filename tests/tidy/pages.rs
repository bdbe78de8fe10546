//! Rules for the pages that users read: their length, their links, their sentences.

use std::fs;
use std::path::Path;

use super::{ROOT, Source, none, read, sources};

/// The most words of the front page.
const FRONT_PAGE: usize = 900;
/// The most words of a sentence.
const SENTENCE: usize = 35;

/// The front page, the guide, the pages of the attributes, and the pages below `docs/` for users.
fn pages() -> Vec<Source> {
    let mut pages = sources("loom-runtime/src/docs", ".md");
    pages.extend(sources("loom-macros/docs", ".md"));
    let named = ["README.md", "docs/benchmarks.md", "loom-fleet/README.md", "SECURITY.md"];
    pages.extend(named.map(|path| Source { path: path.to_owned(), text: read(path) }));
    pages
}

/// The lines of a page that are neither code nor written by a bench.
fn prose(page: &Source) -> impl Iterator<Item = (usize, &str)> {
    let (mut in_code, mut is_written) = (false, false);
    page.lines().filter(move |(_, line)| {
        in_code ^= line.trim_start().starts_with("```");
        is_written |= line.starts_with("<!-- loom-bench");
        is_written &= !line.starts_with("<!-- end of");
        !in_code && !is_written
    })
}

/// The sentences of a line: cells of a table, or what ends with a full stop.
fn sentences(line: &str) -> impl Iterator<Item = &str> {
    line.split('|').flat_map(|cell| cell.split(['.', ':', ';']))
}

fn words(sentence: &str) -> usize {
    sentence.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
}

/// The targets of the links of a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// A heading as the end of a link has it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_heading(text: &str, link: &str) -> bool {
    text.lines().any(|line| line.starts_with('#') && anchor(line) == link)
}

#[test]
fn the_front_page_is_read_in_a_few_minutes() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= FRONT_PAGE, "README.md has {words} words, {FRONT_PAGE} at most");
}

#[test]
fn sentences_of_pages_are_short() {
    let mut breaches = Vec::new();
    for page in pages() {
        breaches.extend(
            page.breaches(prose(&page), |line| sentences(line).any(|it| words(it) > SENTENCE)),
        );
    }
    none("a sentence is too long to be read once", &breaches);
}

#[test]
fn links_of_pages_lead_somewhere() {
    let mut breaches = Vec::new();
    for page in pages() {
        let folder = Path::new(ROOT).join(&page.path);
        let folder = folder.parent().expect("a page is in a folder");
        breaches.extend(page.breaches(prose(&page), |line| {
            links(line).any(|link| match link.split_once('#') {
                Some(("", heading)) => !has_heading(&page.text, heading),
                _ if link.contains("::") || link.starts_with("http") => false,
                Some((file, heading)) => !fs::read_to_string(folder.join(file))
                    .is_ok_and(|text| has_heading(&text, heading)),
                None => !folder.join(link).exists(),
            })
        }));
    }
    none("a link leads nowhere", &breaches);
}

#[test]
fn long_sentences_and_lost_links_are_found() {
    let long = format!("This {}ends.", "goes on ".repeat(20));
    assert!(sentences(&long).any(|it| words(it) > SENTENCE));
    assert!(!sentences("| a | short `cell` |").any(|it| words(it) > SENTENCE));
    assert_eq!(links("[a](b.md), [c](#d e)").collect::<Vec<_>>(), ["b.md", "#d"]);
    assert!(has_heading("# One\n## SQLite, locks and more\n", "sqlite-locks-and-more"));
    assert!(!has_heading("# One\n", "two"));
}
