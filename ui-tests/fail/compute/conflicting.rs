//! Arguments that say nothing beside others.

#[loom::compute(mode = "offload", hint = "low")]
fn decided() {}

#[loom::compute(hint = "low", priority = "high", mode = "inline")]
fn never_moved() {}

#[loom::compute(mode = "observe", priority = "low")]
fn observed() {}

fn main() {}
