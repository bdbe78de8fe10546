#[loom::main]
async extern "C" fn main() {}
