//! A plug-in with an allocator of its own.

loom::plugin::export!("second", plugin_cases::start);

/// Runs one case, by name; 0 if it succeeds.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_case(name: loom_abi::Bytes) -> u32 {
    plugin_cases::run(name)
}

/// Attaches to a handle that may be wrong; 0 if it is refused because of its version.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_attach(handle: loom_abi::RuntimeHandle<'_>) -> u32 {
    plugin_cases::attach_to_wrong(handle)
}

/// Ends work that it has not begun; 0 if each such end is refused.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_ends(handle: loom_abi::RuntimeHandle<'_>) -> u32 {
    plugin_cases::ends_too_much(handle)
}

mod blocks {
    //! An allocator that marks its blocks, and ends the process if it has to free a block of
    //! another allocator.

    use std::alloc::{GlobalAlloc, Layout, System};

    const MARK: u64 = 0x5ec0_0d_b10c_5ec0;
    /// The room for the mark before each block, which keeps any alignment up to this.
    const ROOM: usize = 64;

    struct Marked;

    fn with_room(layout: Layout) -> (Layout, usize) {
        let room = ROOM.max(layout.align());
        let whole = Layout::from_size_align(layout.size() + room, layout.align().max(8));
        (whole.expect("a layout with a little more"), room)
    }

    // SAFETY: every block is one of the system's, and its first part is reserved for the mark.
    unsafe impl GlobalAlloc for Marked {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let (whole, room) = with_room(layout);
            // SAFETY: its size is not 0.
            let block = unsafe { System.alloc(whole) };
            if block.is_null() {
                return block;
            }
            // SAFETY: there is room for the mark, and it is aligned.
            unsafe { block.add(room).cast::<u64>().sub(1).write_unaligned(MARK) };
            // SAFETY: within the block.
            unsafe { block.add(room) }
        }

        unsafe fn dealloc(&self, data: *mut u8, layout: Layout) {
            let (whole, room) = with_room(layout);
            // SAFETY: `alloc` left that much room before it.
            let mark = unsafe { data.cast::<u64>().sub(1) };
            // SAFETY: as above; a block of another allocator is detected by this read alone.
            if unsafe { mark.read_unaligned() } != MARK {
                eprintln!("a block of {} bytes is not of this library", layout.size());
                std::process::abort();
            }
            // SAFETY: as above. Clearing the mark makes a second free visible.
            unsafe { mark.write_unaligned(0) };
            // SAFETY: it is the block that was allocated.
            unsafe { System.dealloc(data.sub(room), whole) };
        }
    }

    #[global_allocator]
    static MARKED: Marked = Marked;
}
