//! Not only `main`: any function may build a runtime, one after another.

#[loom::main(tokio_threads = 1)]
pub(super) async fn sum(/* no arguments */) -> u32 {
    loom::spawn_compute(|| (1..=4).sum()).await
}

struct Shop;

impl Shop {
    #[loom::main(rayon_threads = 1)]
    async fn open() -> usize {
        loom::current_runtime().expect("it is inside").rayon_threads()
    }
}

fn main() {
    assert_eq!(sum(), 10);
    assert_eq!(sum(), 10);
    assert_eq!(Shop::open(), 1);
}

#[test]
fn runs() {
    main();
}
