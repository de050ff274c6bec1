//! What a step reads at a time.

use tch::{Device, Tensor};

/// Consecutive pairs of a batch, wherever their tensors lie: a batch of several micro-batches stays in the memory that
/// the stream filled, as bytes, and each micro-batch is copied to the device when its turn has come.
///
/// Kept, and not streamed a second time: 65,536 images of 112 px are 2.5 GB of bytes, while reading, decoding and
/// cropping them again would cost the loader, which is the bottleneck of short-token training, twice its work.
#[derive(Debug)]
pub struct MicroBatch {
    /// u8, `[b, S, S, 3]`.
    pub images: Tensor,
    /// i64, `[b, C]`.
    pub tokens: Tensor,
    /// i64, `[b, K]`: patches that are looked at; all where there is none.
    pub keep: Option<Tensor>,
}

impl MicroBatch {
    /// Pairs in it.
    pub fn len(&self) -> u64 {
        self.tokens.size()[0].unsigned_abs()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same on a device; nothing is copied where it lies there.
    pub fn on(&self, device: Device) -> MicroBatch {
        MicroBatch {
            images: self.images.to_device(device),
            tokens: self.tokens.to_device(device),
            keep: self.keep.as_ref().map(|keep| keep.to_device(device)),
        }
    }
}
