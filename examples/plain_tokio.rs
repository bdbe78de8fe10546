//! One annotated function in a plain tokio program: nothing else has to change.

/// Long enough to delay every other task on its worker.
#[loom::compute(hint = "high")]
fn primes_below(n: usize) -> usize {
    let mut is_prime = vec![true; n];
    for i in (2..).take_while(|i| i * i < n) {
        if is_prime[i] {
            for multiple in (i * i..n).step_by(i) {
                is_prime[multiple] = false;
            }
        }
    }
    is_prime.iter().skip(2).filter(|prime| **prime).count()
}

#[tokio::main]
async fn main() {
    let count = primes_below(1_000_000).await;
    println!("{count} primes below a million");
}
