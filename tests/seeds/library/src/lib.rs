//! A library that computes on the runtime that its host hands to it.

loom::plugin::export!("library");

#[loom::compute]
fn product(a: u32, b: u32) -> u32 {
    a * b
}

/// 42, or 0 if the runtime is gone.
#[unsafe(no_mangle)]
extern "C" fn answer() -> u32 {
    let Some(attached) = loom::plugin::current() else { return 0 };
    attached.block_on(async { product(6, 7).await }).unwrap_or_default()
}
