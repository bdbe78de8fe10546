#[loom::compute(carry)]
fn alone() {}

#[loom::compute(carry())]
fn none() {}

#[loom::compute(carry = USER)]
fn as_a_value() {}

#[loom::compute(carry("USER"))]
fn a_string() {}

#[loom::compute(hint("low"))]
fn a_list() {}

#[loom::compute(scope(all))]
fn a_flag() {}

#[loom::compute(carry(USER, USER))]
fn the_same() {}

fn main() {}
