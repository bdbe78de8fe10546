#[loom::main]
struct Main;

fn main() {
    let _main = Main;
}
