//! A test takes settings of its runtime, and `should_panic`.

#[loom::test(tokio_threads = 1, rayon_threads = 1)]
async fn small() {
    assert_eq!(loom::spawn_compute(|| 1).await, 1);
}

#[loom::test]
#[should_panic(expected = "told")]
async fn panics() {
    panic!("as told");
}
