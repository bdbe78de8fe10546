//! In the body, names mean what they mean without the attribute.

use std::sync::atomic::{AtomicU32, Ordering};

static CALLS: AtomicU32 = AtomicU32::new(0);

#[loom::main]
async fn main() {
    if CALLS.fetch_add(1, Ordering::Relaxed) < 3 {
        Box::pin(main()).await;
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 4);
}

#[test]
fn runs() {
    main();
}
