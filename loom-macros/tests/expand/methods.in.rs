//! Methods, by value and by reference.

impl Cart {
    #[loom::compute]
    fn total(self, discount: u32) -> u32 {
        self.sum() - discount
    }

    #[loom::compute(scope)]
    fn first(&self) -> Option<&Item> {
        self.items.first()
    }
}
