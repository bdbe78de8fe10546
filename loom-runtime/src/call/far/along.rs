//! Task-locals that travel with a call: `carry(…)` of a function with `fleet`.
//!
//! The message of such a function begins with a part for each of them: its length, in four bytes, least first, and
//! the value as an option, written as arguments are.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::LocalKey;

use super::super::baggage::{Carried, Carry, Lent, carried};
use super::codec::{Travels, decode, encode};

/// A task-local that `carry(…)` may name together with `fleet`.
#[diagnostic::on_unimplemented(
    message = "`carry` cannot take `{Self}` along to another process",
    label = "expected a static of `tokio::task_local!` whose value is `Clone`, `Send`, `Serialize` and \
             `DeserializeOwned`"
)]
pub trait TravelsAlong: Carry {
    /// The value that the current task has, if any, as it travels.
    ///
    /// # Errors
    ///
    /// Why it cannot be written.
    fn write(&'static self) -> Result<Vec<u8>, String>;

    /// The value that has arrived, if any.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    fn read(&'static self, bytes: &[u8]) -> Result<Option<Box<dyn Carried>>, String>;
}

impl<T: Clone + Send + Travels + 'static> TravelsAlong for LocalKey<T> {
    fn write(&'static self) -> Result<Vec<u8>, String> {
        encode(&self.try_with(T::clone).ok())
    }

    fn read(&'static self, bytes: &[u8]) -> Result<Option<Box<dyn Carried>>, String> {
        Ok(decode::<Option<T>>(bytes)?.map(|value| carried(self, value)))
    }
}

type Keys = &'static [&'static dyn TravelsAlong];

/// What comes before the arguments.
///
/// # Errors
///
/// Why it cannot be written.
pub fn write(keys: Keys) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    for key in keys {
        let value = key.write()?;
        let length = u32::try_from(value.len()).map_err(|_| "a task-local is too large")?;
        all.extend(length.to_le_bytes());
        all.extend(value);
    }
    Ok(all)
}

/// The values of the task-locals, and the arguments.
pub(super) fn read(keys: Keys, mut bytes: &[u8]) -> Result<(Lent, &[u8]), String> {
    let mut values = Vec::new();
    for key in keys {
        let cut = || "a task-local is cut off".to_owned();
        let (length, rest) = bytes.split_first_chunk().ok_or_else(cut)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        values.extend(key.read(value)?);
        bytes = rest;
    }
    Ok((Lent::of(values), bytes))
}

/// A future that is polled and dropped while the task-locals have values that arrived with a call.
pub(super) struct Within<F> {
    values: Lent,
    /// `None` once it was dropped.
    future: Option<Pin<Box<F>>>,
}

impl<F> Within<F> {
    /// Makes the future while the task-locals have the values, too.
    pub(super) fn begin(mut values: Lent, make: impl FnOnce() -> F) -> Self {
        let (mut make, mut future) = (Some(make), None);
        values.around(&mut || future = make.take().map(|make| Box::pin(make())));
        Self { values, future }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { values, future } = &mut *self;
        let Some(future) = future else { panic!("a far call was polled after its end") };
        let mut polled = Poll::Pending;
        values.around(&mut || polled = future.as_mut().poll(cx));
        polled
    }
}

impl<F> Drop for Within<F> {
    fn drop(&mut self) {
        let Self { values, future } = self;
        values.around(&mut || drop(future.take()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    tokio::task_local! {
        static USER: String;
        static TRIES: u32;
    }

    static KEYS: Keys = &[&USER, &TRIES];

    type Seen = (Option<String>, Option<u32>, Vec<u8>);

    fn read_at(bytes: &[u8]) -> Result<Seen, String> {
        let (mut values, rest) = read(KEYS, bytes)?;
        let mut seen = (None, None);
        values.around(&mut || {
            seen = (USER.try_with(String::clone).ok(), TRIES.try_with(|tries| *tries).ok());
        });
        Ok((seen.0, seen.1, rest.to_vec()))
    }

    #[test]
    fn what_the_task_has_arrives_and_nothing_else() {
        let mut bytes = USER.sync_scope("Ada".to_owned(), || write(KEYS)).expect("written");
        bytes.extend(b"rest");
        assert_eq!(read_at(&bytes), Ok((Some("Ada".to_owned()), None, b"rest".to_vec())));
        for end in 0..bytes.len() - b"rest".len() {
            assert!(read_at(&bytes[..end]).is_err(), "cut after {end} bytes");
        }
        let mut wrong = bytes.clone();
        wrong[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(read_at(&wrong), Err("a task-local is cut off".to_owned()));
    }

    #[test]
    fn a_future_sees_them_from_its_making_to_its_drop() {
        struct Seen;
        impl Drop for Seen {
            fn drop(&mut self) {
                assert_eq!(USER.get(), "Ada");
            }
        }
        let bytes = USER.sync_scope("Ada".to_owned(), || write(KEYS)).expect("written");
        let (values, _) = read(KEYS, &bytes).expect("read");
        let mut future = Within::begin(values, || {
            assert_eq!(USER.get(), "Ada");
            async {
                let _seen = Seen;
                assert_eq!(USER.get(), "Ada");
                std::future::pending::<()>().await;
            }
        });
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut future).poll(cx).is_pending());
        assert!(USER.try_with(|_| ()).is_err());
        drop(future);
    }
}
