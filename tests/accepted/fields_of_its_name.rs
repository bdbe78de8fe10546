//! What only looks like a function that calls itself.

struct Image {
    resize: u32,
}

impl Image {
    fn resize(&self) -> u32 {
        self.resize
    }

    #[loom::compute]
    fn crop(width: u32) -> u32 {
        // The function beside the type.
        crop_of(width)
    }
}

fn crop_of(n: u32) -> u32 {
    n
}

mod other {
    pub(crate) fn resize(n: u32) -> u32 {
        n
    }
}

#[loom::compute]
fn resize(n: u32) -> u32 {
    let image = Image { resize: n };
    let sum = image.resize() + image.resize + other::resize(1);
    let resize = 1;
    sum + resize
}

#[loom::test]
async fn runs() {
    assert_eq!(resize(2).await, 6);
    assert_eq!(Image::crop(3).await, 3);
}
