#[loom::compute(scope)]
fn length(text: &str) -> usize {
    std::future::ready(()).await;
    text.len()
}

#[loom::compute(scope)]
async fn length_async(text: &str) -> usize {
    std::future::ready(()).await;
    text.len()
}

fn main() {}
