//! Memory for what comes, used again. A camera's frames are about as long as each other, and one
//! cannot be freed before the next is whole: left to the allocator, each leaves a hole that small
//! things are put into, so that the next frame finds none that is large enough, and the heap grows
//! by a frame for each camera.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

/// How much may lie unused. That is a few frames of ESP32 cameras; larger ones the allocator maps
/// by themselves, and unmaps again (mallopt(3), `M_MMAP_THRESHOLD`).
const MOST_SPARE_BYTES: usize = 128 << 10;

/// What all connections of a process share.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Rc<RefCell<Vec<BytesMut>>>);

impl Buffers {
    /// Gives one that has room for so many bytes, and not much more.
    pub(crate) fn take(&self, bytes: usize) -> BytesMut {
        let mut spare = self.0.borrow_mut();
        let fits = |it: &BytesMut| (bytes..=bytes.saturating_mul(2)).contains(&it.capacity());
        match spare.iter().position(fits) {
            Some(at) => spare.swap_remove(at),
            None => BytesMut::with_capacity(bytes),
        }
    }

    /// Takes the memory of bytes that are needed no longer, unless others need some of it.
    pub(crate) fn give(&self, bytes: Bytes) {
        let Ok(mut buffer) = bytes.try_into_mut() else {
            return;
        };
        buffer.clear();
        // What was before the bytes is room again.
        let _ = buffer.try_reclaim(buffer.capacity() + 1);
        self.0.borrow_mut().push(buffer);
        while self.spare_bytes() > MOST_SPARE_BYTES {
            self.0.borrow_mut().remove(0);
        }
    }

    /// How much lies unused.
    pub(crate) fn spare_bytes(&self) -> usize {
        self.0.borrow().iter().map(BytesMut::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Buf;

    #[test]
    fn what_was_given_is_taken_again_with_all_of_its_room() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(1000);
        let place = buffer.as_ptr();
        for _ in 0..10 {
            buffer.extend_from_slice(&[1; 1000]);
            let mut message = buffer.split_to(900);
            message.advance(8);
            let message = message.freeze();
            let part = message.slice(100..);
            buffers.give(message);
            buffers.give(buffer.freeze());
            assert_eq!(buffers.spare_bytes(), 0, "a part of it is needed");
            buffers.give(part);
            buffer = buffers.take(1000);
            assert_eq!((buffer.as_ptr(), buffer.len()), (place, 0));
        }
    }

    #[test]
    fn what_is_much_larger_is_left_to_who_needs_it() {
        let buffers = Buffers::default();
        buffers.give(BytesMut::with_capacity(1000).freeze());
        assert!(buffers.take(400).capacity() < 1000);
        assert_eq!(buffers.take(600).capacity(), 1000);
    }

    #[test]
    fn a_few_frames_of_memory_are_kept_and_the_newest_of_them() {
        let buffers = Buffers::default();
        for kib in [100, 20, 30] {
            buffers.give(BytesMut::with_capacity(kib << 10).freeze());
        }
        assert_eq!(buffers.spare_bytes(), 50 << 10);
        buffers.give(BytesMut::with_capacity(MOST_SPARE_BYTES + 1).freeze());
        assert_eq!(buffers.spare_bytes(), 0);
    }
}
