#[loom::main]
async unsafe fn main() {}
