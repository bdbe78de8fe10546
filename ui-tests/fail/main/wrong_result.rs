#[loom::main]
async fn main() -> Result<(), std::num::ParseIntError> {
    "1".parse::<u32>()
}
