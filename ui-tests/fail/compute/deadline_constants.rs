//! Constants that are no deadline.

const SECONDS: u64 = 5;

#[loom::compute(deadline = SECONDS)]
fn seconds() {}

#[loom::compute(deadline = SECONDS)]
async fn seconds_awaited() {
    std::future::ready(()).await;
}

fn main() {}
