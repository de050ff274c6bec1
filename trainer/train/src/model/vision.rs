//! The image tower: pixels to an embedding.

use tch::{Device, Kind, Tensor};

use clipa_recipe::model::config::{ModelConfig, PixelStatistics, VisionConfig, VisionPool};

use super::{
    block::{Block, BlockConfig, LayerNorm, dimensions},
    parameters::Parameters,
    recompute::Recorded,
};

#[derive(Debug)]
pub(super) struct VisionTower {
    config: VisionConfig,
    class_embedding: Tensor,
    positional_embedding: Tensor,
    conv1: Tensor,
    ln_pre: Option<LayerNorm>,
    blocks: Vec<Block>,
    ln_post: LayerNorm,
    proj: Tensor,
    /// 1/(255·std) and −mean/std of each channel, `[3, 1]`: one multiply-add normalises a byte.
    pixel_scale: Tensor,
    pixel_shift: Tensor,
}

impl VisionTower {
    pub(super) fn new(
        config: &ModelConfig,
        parameters: &Parameters,
        device: Device,
    ) -> VisionTower {
        let vision = config.vision.clone();
        let norm = |name: &str| LayerNorm::new(parameters, name, config.ln_eps);
        let block = BlockConfig {
            heads: vision.heads,
            gelu: config.gelu,
            ln_eps: config.ln_eps,
            causal: false,
        };
        let blocks = (0..vision.layers)
            .map(|i| Block::new(parameters, &format!("visual.transformer.resblocks.{i}"), block))
            .collect();
        let (pixel_scale, pixel_shift) = pixel_map(config.pixels, device);
        VisionTower {
            class_embedding: parameters.tensor("visual.class_embedding"),
            positional_embedding: parameters.tensor("visual.positional_embedding"),
            conv1: parameters.tensor("visual.conv1.weight"),
            ln_pre: vision.ln_pre.then(|| norm("visual.ln_pre")),
            blocks,
            ln_post: norm("visual.ln_post"),
            proj: parameters.tensor("visual.proj"),
            pixel_scale,
            pixel_shift,
            config: vision,
        }
    }

    /// Bytes `[B, S, S, 3]` to embeddings `[B, E]`; `keep` `[B, K]` names the patches that are looked at.
    pub(super) fn encode(&self, images: &Tensor, keep: Option<&Tensor>) -> Tensor {
        self.forward(&self.patches(images, keep), keep)
    }

    /// The same with the blocks' activations forgotten.
    pub(super) fn record(&self, images: &Tensor, keep: Option<&Tensor>) -> (Tensor, Recorded<'_>) {
        let stem = self.stem(&self.patches(images, keep), keep);
        let recorded = Recorded::new(&self.blocks, stem);
        (self.head(recorded.last()), recorded)
    }

    /// The normalised patches that are looked at, `[B, L, 3·P²]`.
    fn patches(&self, images: &Tensor, keep: Option<&Tensor>) -> Tensor {
        let patches = patchify(images, self.config.patch_size);
        // Dropped patches are dropped while they are bytes: nothing is computed for them.
        let patches = match keep {
            Some(keep) => {
                let (_, _, values) = dimensions(&patches);
                let index = keep.unsqueeze(-1).expand([-1, -1, values], false);
                patches.gather(1, &index, false)
            }
            None => patches,
        };
        self.normalise(&patches)
    }

    /// Bytes `[B, L, 3·P²]` to f32 with the data's mean 0 and deviation 1.
    fn normalise(&self, patches: &Tensor) -> Tensor {
        let (batch, count, values) = dimensions(patches);
        let pixels = patches.view([batch, count, 3, values / 3]).to_kind(Kind::Float);
        (pixels * &self.pixel_scale + &self.pixel_shift).view([batch, count, values])
    }

    /// Normalised patches `[B, L, 3·P²]`, channel-first within a patch, to embeddings `[B, E]`.
    ///
    /// A convolution whose stride is its kernel's size is one matrix product over the patches.
    pub(super) fn forward(&self, patches: &Tensor, keep: Option<&Tensor>) -> Tensor {
        let stem = self.stem(patches, keep);
        self.head(&self.blocks.iter().fold(stem, |x, block| block.forward(&x)))
    }

    /// Patches to what the first block reads.
    fn stem(&self, patches: &Tensor, keep: Option<&Tensor>) -> Tensor {
        let (batch, count, values) = dimensions(patches);
        let width = self.config.width;
        let kernel = self.conv1.view([width, values]);
        let embedded = patches.linear::<&Tensor>(&kernel, None);
        let rows = self.positional_embedding.size()[0];
        let positions = self.positional_embedding.narrow(0, 1, rows - 1);
        let positions = match keep {
            Some(keep) => {
                positions.index_select(0, &keep.reshape([-1])).view([batch, count, width])
            }
            None => positions.unsqueeze(0),
        };
        let class = &self.class_embedding + self.positional_embedding.select(0, 0);
        let class = class.view([1, 1, width]).expand([batch, -1, -1], false);
        let x = Tensor::cat(&[class, embedded + positions], 1);
        self.ln_pre.as_ref().map_or_else(|| x.shallow_clone(), |ln_pre| ln_pre.forward(&x))
    }

    /// What the last block returns to embeddings.
    fn head(&self, x: &Tensor) -> Tensor {
        self.pool(x).matmul(&self.proj)
    }

    /// Final layer norm and pooling, `[B, N, W]` to `[B, W]`.
    fn pool(&self, x: &Tensor) -> Tensor {
        let pooled = |x: &Tensor| match self.config.pool {
            VisionPool::Cls => x.select(1, 0),
            VisionPool::AvgPatches => {
                x.narrow(1, 1, x.size()[1] - 1).mean_dim(1i64, false, Kind::Float)
            }
            VisionPool::AvgAll => x.mean_dim(1i64, false, Kind::Float),
        };
        // A norm works row by row: on the class token alone it is the same before and after the pooling, and cheaper.
        if self.config.final_ln_after_pool || self.config.pool == VisionPool::Cls {
            self.ln_post.forward(&pooled(x))
        } else {
            pooled(&self.ln_post.forward(x))
        }
    }
}

/// Cuts `[B, S, S, 3]` into `[B, (S/P)², 3·P²]`: patches row by row, within one channel, row, column, the order of
/// a convolution's kernel.
pub(super) fn patchify(images: &Tensor, patch: i64) -> Tensor {
    let (batch, height, width) = dimensions(images);
    let (rows, columns) = (height / patch, width / patch);
    images.view([batch, rows, patch, columns, patch, 3]).permute([0, 1, 3, 5, 2, 4]).reshape([
        batch,
        rows * columns,
        3 * patch * patch,
    ])
}

fn pixel_map(statistics: PixelStatistics, device: Device) -> (Tensor, Tensor) {
    let (mean, std) = (statistics.mean(), statistics.std());
    let scale = std.map(|std| (1.0 / (255.0 * std)) as f32);
    let shift = [0, 1, 2].map(|channel| (-mean[channel] / std[channel]) as f32);
    let column = |values: &[f32]| Tensor::from_slice(values).view([3, 1]).to_device(device);
    (column(&scale), column(&shift))
}
