//! How arguments and results are written: `MessagePack`, with the names of fields.
//!
//! It is self-describing, so `#[serde(flatten)]`, untagged enums and fields that are left out come back as they
//! were; in a format without names such a type would be read wrongly. A field that an older build does not
//! know is skipped. Bytes that shall travel as one block say so with `serde_bytes` or `bytes::Bytes`.

use std::io::ErrorKind;

use rmp_serde::decode::Error;
use serde_core::Serialize;
use serde_core::de::{Deserialize, DeserializeOwned, IgnoredAny};

/// What goes to another process and comes back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel to another process",
    label = "this is not `Serialize` and `DeserializeOwned`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, take owned data, or leave `fleet` out"
)]
pub trait Travels: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Travels for T {}

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    append(&mut bytes, value)?;
    Ok(bytes)
}

/// Writes a value after others.
pub(super) fn append(bytes: &mut Vec<u8>, value: &impl Serialize) -> Result<(), String> {
    rmp_serde::encode::write_named(bytes, value).map_err(|error| error.to_string())
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    let value = T::deserialize(&mut reader).map_err(|error| error.to_string())?;
    match IgnoredAny::deserialize(&mut reader) {
        Err(Error::InvalidMarkerRead(error)) if error.kind() == ErrorKind::UnexpectedEof => {
            Ok(value)
        }
        _ => Err("something follows the last value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let value = (7_u32, "text".to_owned(), Some(vec![1_u8, 200]));
        let bytes = encode(&value).expect("it can be written");
        assert_eq!(decode::<(u32, String, Option<Vec<u8>>)>(&bytes), Ok(value));
        assert!(decode::<(u32, String)>(&bytes).is_err(), "another number of arguments");
        assert!(decode::<(String, u32, Option<Vec<u8>>)>(&bytes).is_err(), "another order");
        assert!(decode::<(u32, String, Option<Vec<u8>>)>(&bytes[..bytes.len() - 1]).is_err());
        let more = [&bytes[..], &[0]].concat();
        let error = decode::<(u32, String, Option<Vec<u8>>)>(&more).expect_err("too much");
        assert_eq!(error, "something follows the last value");
    }

    #[test]
    fn a_function_without_arguments_has_an_empty_message() {
        let bytes = encode(&()).expect("it can be written");
        assert_eq!(decode::<()>(&bytes), Ok(()));
    }
}
