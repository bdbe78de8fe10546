#[loom::compute(hint = "hot", sice = 1)]
const unsafe extern "C" fn everything(text: &str) -> usize {
    std::future::ready(text.len()).await
}

async fn user() -> usize {
    // The item is still there, so its use is no further mistake.
    unsafe { everything("a") }.await
}

fn main() {
    drop(user());
}
