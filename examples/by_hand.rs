//! A runtime without attributes: the program builds, uses and ends it.

use loom::{LoomBuilder, Placement};
use rayon::prelude::*;

fn main() -> loom::Result<()> {
    let runtime = LoomBuilder::new().prefix("by-hand").placement(Placement::Split).build()?;
    println!("{runtime}");

    // Runs on the compute pool in any case, and is awaited.
    let sum = runtime.block_on(runtime.spawn_compute(|| (1..=1_000_u64).sum::<u64>()));
    println!("the sum is {sum}");

    // Runs parallel iterators on the pool's threads, and blocks meanwhile.
    let squares: u64 = runtime.install(|| (1..=1_000_u64).into_par_iter().map(|n| n * n).sum());
    println!("the sum of squares is {squares}");

    // No caller waits for this call, but `block_until_idle` does.
    runtime.spawn_compute(|| println!("detached work runs to its end")).detach();
    runtime.block_until_idle();
    Ok(())
}
