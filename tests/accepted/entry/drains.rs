//! Tracked work ends before the function returns.

use std::sync::atomic::{AtomicBool, Ordering};

static DRAINED: AtomicBool = AtomicBool::new(false);

struct Check;

impl Drop for Check {
    fn drop(&mut self) {
        DRAINED.store(true, Ordering::Relaxed);
    }
}

#[loom::main]
async fn run() {
    loom::spawn_async(async {
        let _check = Check;
        tokio::task::yield_now().await;
        loom::spawn_compute(|| ()).await;
    });
}

fn main() {
    run();
    assert!(DRAINED.load(Ordering::Relaxed), "tracked work ends before `run` returns");
}

#[test]
fn runs() {
    main();
}
