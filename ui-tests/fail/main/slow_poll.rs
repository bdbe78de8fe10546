#[loom::main(slow_poll = "0s")]
async fn none() {}

#[loom::main(slow_poll = "5 parsecs")]
async fn parsecs() {}

#[loom::main(slow_poll = 5)]
async fn number() {}

#[loom::main(slow_poll = "2h")]
async fn hours() {}

fn main() {}
