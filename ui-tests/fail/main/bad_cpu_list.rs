#[loom::main(cpuset = "0-3,x")]
async fn letters() {}

#[loom::main(cpuset = "3-1")]
async fn backwards() {}

#[loom::main(cpuset = "99999999")]
async fn too_high() {}

fn main() {}
