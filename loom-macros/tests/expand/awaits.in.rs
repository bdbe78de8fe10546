//! Functions that await.

#[loom::compute(hint = "high", size = rows.len())]
async fn merges(rows: Vec<Row>, mut more: Receiver<Row>) -> Result<Vec<Row>, Error> {
    let mut all = rows;
    while let Some(row) = more.recv().await {
        all.push(checked(row)?);
    }
    Ok(all)
}

impl Shop {
    #[loom::compute]
    async fn total(self: Arc<Self>) -> u64 {
        tokio::join!(self.prices(), self.taxes()).0
    }
}

#[loom::compute]
async fn spawns_only(n: u64) {
    tokio::spawn(async move { send(n).await });
}
