#[loom::compute]
#[track_caller]
fn place() -> u32 {
    std::panic::Location::caller().line()
}

fn main() {}
