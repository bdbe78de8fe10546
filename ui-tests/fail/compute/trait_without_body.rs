trait Priced {
    #[loom::compute]
    fn price(self) -> u32;
}

fn main() {}
