//! A library that claims to be a plug-in of another version: a header alone, with nothing behind
//! it. A `--cfg` selects the part that is wrong.

/// The same header as in `loom-abi`.
#[repr(C)]
pub struct Header {
    magic: [u8; 8],
    major: u32,
    minor: u32,
    size: usize,
}

#[cfg(not(wrong = "none"))]
#[unsafe(no_mangle)]
pub static LOOM_PLUGIN: Header = Header {
    magic: if cfg!(wrong = "magic") { *b"loom_abi" } else { *b"loom-abi" },
    major: if cfg!(wrong = "major") { 99 } else { 2 },
    minor: 0,
    size: if cfg!(wrong = "size") { 24 } else { 4096 },
};
