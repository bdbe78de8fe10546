//! The orders that are queried: a Parquet file, the same each time that it is written.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;

const ORDERS: u64 = 4_000_000;
/// The rows that are made at a time.
const BATCH: u64 = 100_000;
/// The rows of a group, which is what the engine reads at a time.
const GROUP: usize = 100_000;

/// Writes orders of one year: the day, the shop, the customer, and what was paid.
pub fn write(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut writer: Option<ArrowWriter<File>> = None;
    for first in (0..ORDERS).step_by(usize::try_from(BATCH)?) {
        let batch = batch(first..first + BATCH)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            none => {
                let groups = WriterProperties::builder().set_max_row_group_row_count(Some(GROUP));
                let (file, schema) = (File::create(path)?, batch.schema());
                none.insert(ArrowWriter::try_new(file, schema, Some(groups.build()))?)
            }
        };
        writer.write(&batch)?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}

fn batch(orders: std::ops::Range<u64>) -> Result<RecordBatch, Box<dyn Error>> {
    let random: Vec<u64> = orders.clone().map(scrambled).collect();
    let day = |order: u64| i32::try_from(order * 365 / ORDERS);
    let days: Result<Vec<i32>, _> = orders.map(day).collect();
    let shops = random.iter().map(|n| Some(format!("shop {:02}", n % 40)));
    let customers = random.iter().map(|n| i64::try_from(n / 40 % 5_000));
    let cents = random.iter().map(|n| u32::try_from(n >> 32 & 0xFFFF).map(f64::from));
    let columns: [(&str, ArrayRef); 4] = [
        ("day", Arc::new(Int32Array::from(days?))),
        ("shop", Arc::new(StringArray::from_iter(shops))),
        ("customer", Arc::new(Int64Array::from(customers.collect::<Result<Vec<_>, _>>()?))),
        ("paid", Arc::new(Float64Array::from(cents.collect::<Result<Vec<_>, _>>()?))),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// A number that looks random, and is the same each time.
fn scrambled(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (n ^ (n >> 29)).wrapping_mul(0xD6E8_FEB8_6659_FD93) ^ (n >> 32)
}
