//! Functions whose calls may run on another process.

#[loom::compute(fleet)]
fn shrink(image: Vec<u8>, side: u32) -> Vec<u8> {
    image
}

#[loom::compute(fleet = "2", idempotent, key = "search")]
async fn search(words: String) -> usize {
    index().await.count(&words)
}

#[loom::compute(fleet, carry(USER, requests::ID))]
fn greet() -> String {
    USER.get()
}
