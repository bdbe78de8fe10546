#[loom::compute]
mod images {
    pub fn resize() {}
}

fn main() {
    images::resize();
}
