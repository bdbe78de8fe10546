//! The expansion gives no lint a reason that the function does not.

#![deny(warnings, missing_docs, unused, unsafe_code, unreachable_pub, single_use_lifetimes)]
#![deny(unused_qualifications, let_underscore_drop, unit_bindings)]
#![deny(elided_lifetimes_in_paths, explicit_outlives_requirements, macro_use_extern_crate)]
#![deny(trivial_casts, trivial_numeric_casts, variant_size_differences, unused_lifetimes)]
#![deny(missing_debug_implementations, unused_import_braces, unused_results)]

/// A cart.
#[derive(Debug)]
pub struct Cart(Vec<u32>);

impl Cart {
    /// By value.
    #[loom::compute]
    pub fn total(self, mut extra: u32) -> u32 {
        extra += 1;
        self.0.iter().sum::<u32>() + extra
    }

    /// By reference.
    #[loom::compute(scope)]
    pub fn first(&self) -> Option<&u32> {
        self.0.first()
    }

    /// Nothing.
    #[loom::compute]
    pub fn clear(mut self) {
        self.0.clear();
    }
}

/// Alone.
#[loom::compute(hint = "low", size = n)]
pub fn alone(n: u32) {
    assert_eq!(n, 1);
}

#[loom::main]
async fn main() {
    let cart = Cart(vec![1, 2]);
    assert_eq!(cart.first().await, Some(&1));
    assert_eq!(cart.total(1).await, 5);
    Cart(vec![]).clear().await;
    alone(1).await;
}

#[test]
fn runs() {
    main();
}
