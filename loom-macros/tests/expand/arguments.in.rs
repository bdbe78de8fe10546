//! Everything that the attribute may say.

#[loom::compute(
    mode = "adaptive",
    size = image.len(),
    priority = "low",
    key = "resize",
    carry(USER, request::ID),
    runtime = state.runtime,
)]
fn resize(image: Vec<u8>, (width, height): (u32, u32), mut state: State) -> Result<Vec<u8>, Error> {
    state.count += 1;
    scale(image, width, height)
}
