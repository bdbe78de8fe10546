//! A job: counts the words of files, several at a time, and says what that took.
//!
//! `cargo run --release --example job -- FILE...`; without arguments it reads the project's own pages.

use std::env;
use std::error::Error;

use loom::ComputeStreamExt;
use tokio_stream::StreamExt;

const PAGES: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
}

/// A job has no latency to protect, so compute threads have their ordinary priority.
#[loom::main(compute_priority = "normal")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut paths: Vec<_> = env::args().skip(1).collect();
    if paths.is_empty() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        paths.extend(PAGES.map(|page| format!("{root}/{page}")));
    }
    // Files are read one after another and counted at the same time; at most eight texts are in memory.
    let texts = tokio_stream::iter(paths).then(|path| async move {
        let text = tokio::fs::read_to_string(&path).await;
        text.map(|text| (path.clone(), text)).map_err(|error| format!("{path}: {error}"))
    });
    let counts = texts.adaptive_map(|read: Result<(String, String), String>| {
        read.map(|(path, text)| (path, words(&text)))
    });
    let mut counts = std::pin::pin!(counts.name("words of a file").in_flight(8));
    let mut total = 0;
    while let Some(count) = counts.next().await {
        let (path, count) = count?;
        println!("{count:>8} {path}");
        total += count;
    }
    println!("{total:>8} in all");
    let runtime = loom::current_runtime().ok_or("this is below `#[loom::main]`")?;
    eprintln!("\n{}", runtime.report());
    Ok(())
}
