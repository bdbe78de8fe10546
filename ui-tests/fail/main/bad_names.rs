#[loom::main(prefix = "a name that is by far too long for the threads of any runtime at all, ever")]
async fn too_long() {}

#[loom::main(prefix = "two\nlines", env_prefix = "MY APP", config = "", profile = "")]
async fn impossible() {}

fn main() {}
