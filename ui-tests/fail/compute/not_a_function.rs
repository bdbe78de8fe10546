#[loom::compute]
struct Image;

#[loom::compute]
mod images {}

fn main() {
    let _image = Image;
}
