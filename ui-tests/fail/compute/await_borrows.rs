//! A function that awaits borrows nothing either.

struct Shop(Vec<u64>);

impl Shop {
    #[loom::compute]
    async fn total(&self) -> u64 {
        std::future::ready(()).await;
        self.0.iter().sum()
    }
}

#[loom::compute]
async fn first(items: &[u64]) -> u64 {
    std::future::ready(()).await;
    items[0]
}

#[loom::compute]
async fn name(names: Vec<String>) -> &str {
    std::future::ready(()).await;
    names[0].as_str()
}

fn main() {}
