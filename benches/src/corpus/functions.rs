//! Ten functions that people annotate, from well-kept crates, each at three sizes of input.

use std::error::Error;
use std::fmt::Write;
use std::io::Cursor;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, ImageReader, RgbImage};
use minijinja::{Environment, context};
use pulldown_cmark::{Parser, html};
use regex::Regex;
use sha2::{Digest, Sha256};
use tantivy::collector::TopDocs;
use tantivy::query::QueryParser;
use tantivy::schema::{Schema, TEXT};
use tantivy::{Index, IndexWriter, TantivyDocument};

use crate::statistics::Random;

/// A function with its input. It returns a number that depends on all of its work.
pub(super) type Work = Arc<dyn Fn() -> usize + Send + Sync>;
/// Makes a function with an input of that size.
type Make = fn(usize) -> Result<Work, Box<dyn Error>>;

/// A name, what the sizes count, three of them, and how the function is made.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) sizes: [usize; 3],
    pub(super) make: Make,
}

const KIB: usize = 1024;

pub(super) const FUNCTIONS: [Function; 10] = [
    function("thumbnail", "pixels wide", [64, 400, 1600], thumbnail),
    function("argon2id", "KiB of memory", [256, 4 * KIB, 19 * KIB], argon2id),
    function("Markdown", "bytes", [KIB, 32 * KIB, 512 * KIB], markdown),
    function("CSV", "rows", [20, 1_000, 50_000], csv),
    function("JSON", "records", [4, 200, 10_000], json),
    function("zstd", "bytes", [4 * KIB, 128 * KIB, 2048 * KIB], zstd),
    function("regex", "bytes", [2 * KIB, 64 * KIB, 2048 * KIB], regex),
    function("SHA-256", "bytes", [KIB, 64 * KIB, 4096 * KIB], sha256),
    function("full-text search", "documents", [500, 5_000, 50_000], search),
    function("template", "rows", [10, 500, 10_000], template),
];

const fn function(
    name: &'static str,
    unit: &'static str,
    sizes: [usize; 3],
    make: Make,
) -> Function {
    Function { name, unit, sizes, make }
}

/// So many words of a language that is none.
fn words(count: usize) -> String {
    const SYLLABLES: [&str; 12] =
        ["lo", "om", "ta", "sk", "re", "ad", "co", "re", "wo", "rk", "in", "ou"];
    let mut random = Random::new(count as u64 + 1);
    let mut text = String::new();
    for word in 0..count {
        let syllables = 1 + random.below(3);
        (0..syllables).for_each(|_| text.push_str(SYLLABLES[random.below(SYLLABLES.len())]));
        text.push(if word % 12 == 11 { '\n' } else { ' ' });
    }
    text
}

/// Text of about so many bytes.
fn text(bytes: usize) -> String {
    let mut text = words(bytes / 4);
    text.truncate(bytes);
    text
}

/// Decodes a picture, makes it smaller, and encodes it again.
fn thumbnail(width: usize) -> Result<Work, Box<dyn Error>> {
    let side = u32::try_from(width)?;
    let mut random = Random::new(1);
    #[expect(clippy::cast_possible_truncation, reason = "colours")]
    let picture = RgbImage::from_fn(side, side * 3 / 4, |x, y| {
        image::Rgb([x as u8, (x ^ y) as u8, (random.below(64) as u8) + (y / 16) as u8 % 128])
    });
    let mut jpeg = Vec::new();
    picture.write_with_encoder(JpegEncoder::new(&mut jpeg))?;
    Ok(Arc::new(move || {
        let picture = ImageReader::with_format(Cursor::new(&jpeg), ImageFormat::Jpeg).decode();
        let Ok(picture) = picture else { return 0 };
        let mut small = Vec::new();
        let written = picture.thumbnail(128, 128).write_with_encoder(JpegEncoder::new(&mut small));
        written.map_or(0, |()| small.len())
    }))
}

fn argon2id(memory: usize) -> Result<Work, Box<dyn Error>> {
    let params = Params::new(u32::try_from(memory)?, 2, 1, Some(32))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(Arc::new(move || {
        let mut hash = [0; 32];
        let hashed = argon2.hash_password_into(b"correct horse", b"sixteen bytes...", &mut hash);
        hashed.map_or(0, |()| usize::from(hash[0]) + 1)
    }))
}

fn markdown(bytes: usize) -> Result<Work, Box<dyn Error>> {
    let mut source = String::new();
    for (i, line) in text(bytes).lines().enumerate() {
        match i % 6 {
            0 => writeln!(source, "\n## {line}\n")?,
            1 => writeln!(source, "- *{line}*")?,
            2 => writeln!(source, "- [`{line}`](https://example.org/{i})")?,
            _ => writeln!(source, "{line}")?,
        }
    }
    Ok(Arc::new(move || {
        let mut page = String::new();
        html::push_html(&mut page, Parser::new(&source));
        page.len()
    }))
}

/// Reads rows, and adds up a column.
fn csv(rows: usize) -> Result<Work, Box<dyn Error>> {
    let mut table = "id,name,price,comment\n".to_owned();
    for (row, line) in words(rows * 12).lines().enumerate() {
        writeln!(table, "{row},{},{}.25,\"{line}\"", line.len(), row % 100)?;
    }
    Ok(Arc::new(move || {
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let records = reader.records().filter_map(Result::ok);
        let prices = records.filter_map(|record| record.get(2)?.parse::<f64>().ok());
        let sum: f64 = prices.sum();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a sum of prices"
        )]
        let sum = sum as usize;
        sum
    }))
}

/// Parses records, and writes them again.
fn json(records: usize) -> Result<Work, Box<dyn Error>> {
    let record = |id: usize| {
        serde_json::json!({
            "id": id, "name": text(20 + id % 30), "tags": ["one", "two"], "price": id * 7 % 1000,
            "address": { "street": text(30), "number": id % 200 },
        })
    };
    let document = serde_json::to_string(&(0..records).map(record).collect::<Vec<_>>())?;
    Ok(Arc::new(move || {
        let parsed: serde_json::Result<serde_json::Value> = serde_json::from_str(&document);
        parsed.map_or(0, |value| value.to_string().len())
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "all of them have one type")]
fn zstd(bytes: usize) -> Result<Work, Box<dyn Error>> {
    let source = text(bytes);
    Ok(Arc::new(move || {
        zstd::bulk::compress(source.as_bytes(), 3).map_or(0, |packed| packed.len())
    }))
}

/// Finds addresses in a log.
fn regex(bytes: usize) -> Result<Work, Box<dyn Error>> {
    let pattern = Regex::new(r"(?i)\b([a-z]+)@([a-z]+)\.(org|net)\b")?;
    let mut log = String::new();
    for (i, line) in text(bytes).lines().enumerate() {
        let who = line.split(' ').next().unwrap_or("nobody");
        writeln!(log, "{line} {who}@{}.org", if i % 3 == 0 { "loom" } else { "4" })?;
    }
    Ok(Arc::new(move || pattern.captures_iter(&log).map(|found| found[1].len()).sum()))
}

#[expect(clippy::unnecessary_wraps, reason = "all of them have one type")]
fn sha256(bytes: usize) -> Result<Work, Box<dyn Error>> {
    let source = text(bytes);
    Ok(Arc::new(move || usize::from(Sha256::digest(source.as_bytes())[0]) + 1))
}

/// Looks a phrase and a word up in an index, and takes the ten best documents.
fn search(documents: usize) -> Result<Work, Box<dyn Error>> {
    let mut schema = Schema::builder();
    let body = schema.add_text_field("body", TEXT);
    let index = Index::create_in_ram(schema.build());
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 30_000_000)?;
    for line in words(documents * 12).lines() {
        let mut document = TantivyDocument::default();
        document.add_text(body, line);
        writer.add_document(document)?;
    }
    writer.commit()?;
    let searcher = index.reader()?.searcher();
    let parser = QueryParser::for_index(&index, vec![body]);
    Ok(Arc::new(move || {
        let Ok(query) = parser.parse_query("loom OR (task AND readwork) OR coreout") else {
            return 0;
        };
        let best = TopDocs::with_limit(10).order_by_score();
        searcher.search(&query, &best).map_or(0, |found| found.len())
    }))
}

fn template(rows: usize) -> Result<Work, Box<dyn Error>> {
    let mut environment = Environment::new();
    environment.add_template(
        "list.html",
        "<ul>{% for item in items %}<li class=\"{{ loop.cycle('a', 'b') }}\">{{ item.name|upper }}: \
         {{ item.price }}{% if item.price > 50 %} *{% endif %}</li>{% endfor %}</ul>",
    )?;
    let names = words(rows);
    let item = |(price, name): (usize, &str)| context! { name, price => price % 100 };
    let items: Vec<_> = names.split_whitespace().enumerate().map(item).collect();
    Ok(Arc::new(move || {
        let page = environment
            .get_template("list.html")
            .and_then(|template| template.render(context! { items }));
        page.map_or(0, |page| page.len())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_does_the_same_each_time() {
        for function in FUNCTIONS {
            for size in &function.sizes[..2] {
                let work = (function.make)(*size).expect("its input can be made");
                let result = work();
                assert!(result > 0, "{} {size}", function.name);
                assert_eq!(work(), result, "{} {size}", function.name);
            }
        }
    }
}
