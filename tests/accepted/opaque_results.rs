//! Results of a type that has no name.

use std::fmt::Display;

#[loom::compute]
fn squares(n: u32) -> impl Iterator<Item = u32> + Send {
    (0..n).map(|i| i * i)
}

#[loom::compute]
fn counter(step: u32) -> impl Fn(u32) -> u32 {
    // Of which type the argument is, the result says.
    move |n| n.pow(2) + step
}

#[loom::compute]
fn either(text: String) -> Result<impl Display, std::num::ParseIntError> {
    let n: u32 = text.parse()?;
    if n == 0 {
        return Ok("nothing".to_owned());
    }
    Ok(n.to_string())
}

struct Cart(Vec<u32>);

impl Cart {
    #[loom::compute]
    fn sorted(mut self) -> impl DoubleEndedIterator<Item = u32> {
        self.0.sort_unstable();
        self.0.into_iter()
    }
}

#[loom::test]
async fn runs() {
    assert_eq!(squares(4).await.sum::<u32>(), 14);
    assert_eq!(counter(1).await(3), 10);
    assert_eq!(either("7".to_owned()).await.map(|n| n.to_string()), Ok("7".to_owned()));
    assert!(either("x".to_owned()).await.is_err());
    assert_eq!(Cart(vec![2, 1]).sorted().await.next_back(), Some(2));
}
