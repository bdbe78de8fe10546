//! The engine: one query, as a stream of the lines of its answer.

use std::path::Path;

use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::execution::options::ParquetReadOptions;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use futures::{Stream, TryStreamExt, stream};

/// The pieces of a query that the engine runs at a time.
const PARTITIONS: usize = 2;

#[derive(Clone)]
pub struct Engine(SessionContext);

impl Engine {
    /// An engine with the table `orders` from this file.
    pub async fn open(orders: &Path) -> Result<Self> {
        let config = SessionConfig::new().with_target_partitions(PARTITIONS);
        let context = SessionContext::new_with_config(config);
        let path = orders.to_string_lossy();
        context.register_parquet("orders", &*path, ParquetReadOptions::default()).await?;
        Ok(Self(context))
    }

    /// The answer to a query, as lines of values with commas between them. Polls of this stream plan the
    /// query, and compute it: they may take milliseconds each.
    pub fn answer(&self, sql: String) -> impl Stream<Item = Result<String>> + Send + use<> {
        let context = self.0.clone();
        let batches = async move {
            let read_only = SQLOptions::new()
                .with_allow_ddl(false)
                .with_allow_dml(false)
                .with_allow_statements(false);
            let plan = context.sql_with_options(&sql, read_only).await?;
            plan.execute_stream().await
        };
        stream::once(batches).try_flatten().and_then(async |batch| Ok(lines(&batch)?))
    }
}

fn lines(batch: &RecordBatch) -> Result<String, ArrowError> {
    let options = FormatOptions::default();
    let formatter = |column| ArrayFormatter::try_new(column, &options);
    let columns: Vec<_> =
        batch.columns().iter().map(|column| formatter(&**column)).collect::<Result<_, _>>()?;
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        for (n, column) in columns.iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            column.value(row).write(&mut text)?;
        }
        text.push('\n');
    }
    Ok(text)
}
