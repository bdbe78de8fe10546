//! Another attribute below, which may name arguments: they keep their names.

#[loom::compute]
#[instrument(fields(size = data.len(), x = x))]
fn store(mut data: Vec<u8>, _count: usize, Point { x, y }: Point, (_, z): (u8, u8)) -> usize {
    data.push(z);
    data.len() + x + y
}
