#[loom::compute(runtime = "shop")]
fn by_name() {}

#[loom::compute(runtime = tokio::runtime::Handle::current())]
fn of_tokio() {}

fn main() {}
