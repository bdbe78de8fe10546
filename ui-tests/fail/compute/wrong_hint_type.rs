const COST: u32 = 3;

#[loom::compute(hint = COST)]
fn number() {}

#[loom::compute(hint = loom::Priority::High)]
fn other() {}

fn hint() -> loom::ComputeHint {
    loom::ComputeHint::Low
}

#[loom::compute(hint = hint())]
fn not_constant() {}

fn main() {}
