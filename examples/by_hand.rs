//! A runtime without attributes: built, used and ended by hand.

use loom::{LoomBuilder, Placement};
use rayon::prelude::*;

fn main() -> loom::Result<()> {
    let runtime = LoomBuilder::new().prefix("by-hand").placement(Placement::Split).build()?;
    println!("{runtime}");

    // Always on the compute pool, awaited.
    let sum = runtime.block_on(runtime.spawn_compute(|| (1..=1_000_u64).sum::<u64>()));
    println!("the sum is {sum}");

    // On the pool's threads, blocking, with parallel iterators.
    let squares: u64 = runtime.install(|| (1..=1_000_u64).into_par_iter().map(|n| n * n).sum());
    println!("the sum of squares is {squares}");

    // Nobody waits for this one, but the end does.
    runtime.spawn_compute(|| println!("detached work runs to its end")).detach();
    runtime.block_until_idle();
    Ok(())
}
