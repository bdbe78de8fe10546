//! Text: names that are lent, and reasons that are written where the other side has room.

use std::slice;

use loom_abi::{Bytes, Text};

pub(super) const fn lower(text: &str) -> Bytes {
    Bytes { data: text.as_ptr(), len: text.len() }
}

/// # Safety
///
/// X4: the text is there during the call, and is text.
pub(super) unsafe fn raise(bytes: &Bytes) -> String {
    // SAFETY: X4, as by contract.
    let bytes = unsafe { slice::from_raw_parts(bytes.data, bytes.len) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes as much as there is room for.
///
/// # Safety
///
/// X4: there is room for as much as it says.
#[cfg(feature = "plugin")]
pub(super) unsafe fn write(place: *mut Text, text: &str) {
    // SAFETY: X4, as by contract.
    let place = unsafe { &mut *place };
    let len = text.floor_char_boundary(place.capacity);
    // SAFETY: X4, there is room for so many, which are not ours.
    unsafe { place.data.copy_from_nonoverlapping(text.as_ptr(), len) };
    place.len = len;
}

/// Room for a reason, and what was written there.
#[cfg(feature = "plugin-host")]
pub(super) struct Room {
    bytes: [u8; 512],
    len: usize,
}

#[cfg(feature = "plugin-host")]
impl Room {
    /// Gives room to a call, and tells what it said.
    pub(super) fn give<R>(f: impl FnOnce(*mut Text) -> R) -> (R, Self) {
        let mut room = Self { bytes: [0; 512], len: 0 };
        let mut text = Text { data: room.bytes.as_mut_ptr(), capacity: room.bytes.len(), len: 0 };
        let result = f(&raw mut text);
        room.len = text.len.min(room.bytes.len());
        (result, room)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..self.len]).into_owned()
    }
}
