struct Scorer;

impl Scorer {
    #[loom::compute]
    fn score(&self, n: u32) -> u32 {
        n
    }
}

fn main() {}
