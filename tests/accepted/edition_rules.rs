//! Temporaries of the last expression end before the arguments do.

use std::cell::RefCell;
use std::sync::Mutex;

#[loom::compute]
fn locked(words: Mutex<Vec<String>>) -> usize {
    words.lock().expect("nobody panicked").len()
}

#[loom::compute]
fn borrowed(n: RefCell<u32>) -> u32 {
    *n.borrow()
}

struct Shared(Mutex<u32>);

impl Shared {
    #[loom::compute]
    fn get(self) -> u32 {
        *self.0.lock().expect("nobody panicked")
    }
}

#[loom::main]
async fn main() {
    assert_eq!(locked(Mutex::new(vec!["a".to_owned()])).await, 1);
    assert_eq!(borrowed(RefCell::new(2)).await, 2);
    assert_eq!(Shared(Mutex::new(3)).get().await, 3);
}

#[test]
fn runs() {
    main();
}
