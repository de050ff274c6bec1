//! A batch, and the memory that it is made of.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

/// Images and tokens of consecutive samples. Dropping it returns its memory to the stream.
#[derive(Debug)]
pub struct Batch {
    /// `[B, H, W, 3]`, 8 bits a channel, RGB.
    pub images: Vec<u8>,
    /// `[B, C]`; of an evaluation that reads every caption `[T, C]`, T the sum of `captions`, image by image.
    pub tokens: Vec<i64>,
    /// `[B]`; captions of each image, where every caption is read.
    pub captions: Option<Vec<u32>>,
    /// `[B]`; classes of a classification set.
    pub labels: Option<Vec<u32>>,
    /// B. Always the configured batch in a stream; the last one of an evaluation may be smaller.
    pub len: usize,
    /// Samples that have several captions, none of a source that the stage names; they show their first one.
    pub without_source: usize,
    /// Place of the first sample in the stage.
    pub first_sample: u64,
    /// H and W.
    pub image_size: u32,
    /// C.
    pub context_length: usize,
    /// Where `images` goes afterwards.
    pool: Option<Arc<BufferPool>>,
}

/// Image buffers between two uses. Fresh memory costs as much as filling it: the kernel clears every page.
#[derive(Debug)]
pub(super) struct BufferPool {
    buffers: ArrayQueue<Vec<u8>>,
}

impl BufferPool {
    /// A pool that keeps at most `buffers` of them.
    pub(super) fn new(buffers: usize) -> Arc<BufferPool> {
        Arc::new(BufferPool { buffers: ArrayQueue::new(buffers) })
    }

    /// `bytes` bytes with anything in them.
    pub(super) fn take(&self, bytes: usize) -> Vec<u8> {
        let mut buffer = self.buffers.pop().unwrap_or_default();
        if buffer.capacity() < bytes {
            // Fresh zeroed pages beat a copy of what is about to be overwritten.
            buffer = vec![0; bytes];
        }
        buffer.resize(bytes, 0);
        buffer
    }
}

impl Batch {
    /// A batch of `len` samples whose images are still undefined and whose tokens are zero.
    pub(super) fn blank(
        pool: &Arc<BufferPool>,
        len: usize,
        first_sample: u64,
        image_size: u32,
        context_length: usize,
    ) -> Batch {
        let pixels = image_size as usize * image_size as usize;
        Batch {
            images: pool.take(len * pixels * 3),
            tokens: vec![0; len * context_length],
            captions: None,
            labels: None,
            len,
            without_source: 0,
            first_sample,
            image_size,
            context_length,
            pool: Some(Arc::clone(pool)),
        }
    }

    /// A batch from what it holds, for callers that make their own.
    ///
    /// # Panics
    /// Where the lengths contradict each other.
    pub fn from_parts(
        images: Vec<u8>,
        tokens: Vec<i64>,
        labels: Option<Vec<u32>>,
        image_size: u32,
        context_length: usize,
    ) -> Batch {
        let len = tokens.len() / context_length;
        assert_eq!(tokens.len(), len * context_length, "tokens are [B, C]");
        assert_eq!(
            images.len(),
            len * (image_size * image_size * 3) as usize,
            "images are [B, H, W, 3]"
        );
        assert!(labels.as_ref().is_none_or(|labels| labels.len() == len), "labels are [B]");
        Batch {
            images,
            tokens,
            captions: None,
            labels,
            len,
            without_source: 0,
            first_sample: 0,
            image_size,
            context_length,
            pool: None,
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            // A full pool has more buffers than the stream can use; this one is then freed.
            let _ = pool.buffers.push(std::mem::take(&mut self.images));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back() {
        let pool = BufferPool::new(2);
        let batch = Batch::blank(&pool, 4, 0, 8, 3);
        let address = batch.images.as_ptr();
        assert_eq!((batch.images.len(), batch.tokens.len()), (4 * 8 * 8 * 3, 12));
        drop(batch);
        assert_eq!(Batch::blank(&pool, 3, 0, 8, 3).images.as_ptr(), address);
        let larger = Batch::blank(&pool, 5, 0, 8, 3);
        assert_eq!(larger.images.len(), 5 * 8 * 8 * 3);
    }

    #[test]
    fn images_that_were_taken_out_do_not_come_back() {
        let pool = BufferPool::new(2);
        let mut batch = Batch::blank(&pool, 1, 0, 8, 3);
        let images = std::mem::take(&mut batch.images);
        drop(batch);
        assert_eq!(pool.take(8).len(), 8);
        assert_eq!(images.len(), 192);
    }
}
