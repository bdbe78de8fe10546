//! The three ways give the same answers.

use std::path::Path;

use futures::{StreamExt, TryStreamExt};

use crate::engine::Engine;
use crate::orders;
use crate::way::{Home, Way};

fn ask(home: &Home, orders: &Path, sql: &str) -> datafusion::error::Result<String> {
    home.handle().block_on(async {
        let engine = Engine::open(orders).await?;
        // As a handler does, on a task of the runtime.
        let answer = home.place().polls(engine.answer(sql.to_owned()));
        tokio::spawn(answer.try_collect()).await.expect("no panic")
    })
}

#[test]
fn all_ways_give_the_same_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("orders.parquet");
    orders::write(&file).expect("it is written");
    // What Loom's way sets holds for the whole process, so it comes last.
    let answers = Way::ALL.map(|way| {
        let home = Home::new(way).expect("it starts");
        let ask = |sql| ask(&home, &file, sql);
        assert_eq!(ask("SELECT count(*) FROM orders").expect("no error"), "4000000\n");
        let error = ask("DROP TABLE orders").expect_err("it is read only").to_string();
        assert!(error.contains("DDL not supported"), "{error}");
        // A client that goes early.
        home.handle().block_on(async {
            let engine = Engine::open(&file).await.expect("it is there");
            let mut answer = home.place().polls(engine.answer("SELECT * FROM orders".to_owned()));
            assert!(answer.next().await.expect("there are rows").is_ok());
        });
        ask("SELECT shop, count(*), sum(paid) FROM orders GROUP BY shop ORDER BY shop")
            .expect("no error")
    });
    assert_eq!(answers[0].lines().count(), 40);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}
