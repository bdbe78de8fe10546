#[loom::main(shutdown_timeout = "5")]
async fn no_unit() {}

#[loom::main(shutdown_timeout = "2days")]
async fn too_long() {}

#[loom::main(shutdown_timeout = 5)]
async fn number() {}

fn main() {}
