//! As `#[async_trait]` leaves a method to the attributes on it.

use std::pin::Pin;

struct Cart(u32);

impl Cart {
    #[loom::compute]
    fn price<'life0, 'async_trait>(
        &'life0 self,
    ) -> Pin<Box<dyn Future<Output = u32> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
    {
        Box::pin(async move { self.0 })
    }
}

fn main() {}
