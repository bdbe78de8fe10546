//! Text: names that are lent, and reasons that are written to a place of the other side.

use std::slice;

use loom_abi::{Bytes, Text};

pub(super) const fn lower(text: &str) -> Bytes {
    Bytes { data: text.as_ptr(), len: text.len() }
}

/// # Safety
///
/// X4: `bytes` points to as many bytes as it says, which stay valid during the call.
pub(super) unsafe fn raise(bytes: &Bytes) -> String {
    // An empty text may point nowhere.
    if bytes.data.is_null() || bytes.len == 0 {
        return String::new();
    }
    // SAFETY: X4, by this function's contract.
    let bytes = unsafe { slice::from_raw_parts(bytes.data, bytes.len) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes as much of the text as there is room for.
///
/// # Safety
///
/// X4: `place` has as much room as its `capacity` says.
#[cfg(feature = "plugin")]
pub(super) unsafe fn write(place: *mut Text, text: &str) {
    // SAFETY: X4, by this function's contract.
    let place = unsafe { &mut *place };
    let text = crate::text::beginning(text, place.capacity);
    let len = text.len();
    place.len = len;
    if len == 0 {
        return;
    }
    // SAFETY: X4, there is room for `len` bytes, and they do not overlap `text`.
    unsafe { place.data.copy_from_nonoverlapping(text.as_ptr(), len) };
}

/// Room for a reason, and the reason that was written there.
#[cfg(feature = "plugin-host")]
pub(super) struct Room {
    bytes: [u8; 512],
    len: usize,
}

#[cfg(feature = "plugin-host")]
impl Room {
    /// Gives room to `f`, and returns its result with the room.
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
