//! A batch as tensors, with the masks that a stage puts over its images.

use clipa_schemas::reduction::image::{Grid, ImageReduction, kept_patches};
use tch::{Device, Tensor};

use super::RunError;
use crate::{model::ModelConfig, seed, step::MicroBatch};
use clipa_recipe::Stage;
use clipa_stream::Batch;

/// What a step reads.
#[derive(Debug)]
pub(super) struct Inputs {
    /// u8, `[B, S, S, 3]`.
    pub(super) images: Tensor,
    /// i64, `[B, C]`.
    pub(super) tokens: Tensor,
    /// i64, `[B, K]`: patches that are looked at; all where there is none.
    pub(super) keep: Option<Tensor>,
}

/// The image masks of a stage, a function of seed and sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks {
    reduction: ImageReduction,
    grid: Grid,
    seed: u64,
}

impl Masks {
    /// `None` where the stage masks nothing.
    pub(super) fn new(stage: &Stage, model: &ModelConfig, seed: u64) -> Option<Masks> {
        let grid = Grid::square(stage.image_size as u32, model.vision.patch_size as u32)?;
        let reduction = stage.image_reduction;
        reduction.is_mask().then_some(Masks { reduction, grid, seed })
    }

    /// Kept patches of `len` samples from `first_sample` on, row by row.
    fn kept(&self, first_sample: u64, len: usize) -> Vec<i64> {
        let samples = first_sample..first_sample + len as u64;
        samples
            .flat_map(|sample| {
                let seed = seed::random(self.seed, "image mask", sample).next_u64();
                kept_patches(self.reduction, self.grid, seed).into_iter().map(i64::from)
            })
            .collect()
    }
}

impl Inputs {
    /// Makes tensors of a batch without copying its images; the batch returns its memory when the tensor dies.
    ///
    /// # Errors
    /// A token id that is not below `vocab_size`.
    pub(super) fn new(
        mut batch: Batch,
        masks: Option<&Masks>,
        vocab_size: i64,
        device: Device,
    ) -> Result<Inputs, RunError> {
        let (rows, side) = (batch.len as i64, i64::from(batch.image_size));
        let keep = masks.map(|masks| {
            let kept = masks.kept(batch.first_sample, batch.len);
            let columns = i64::from(masks.reduction.kept_count(masks.grid));
            torch_ext::from_owned(kept, &[rows, columns])
        });
        let tokens = std::mem::take(&mut batch.tokens);
        if let Some(token) = tokens.iter().find(|&&token| token >= vocab_size) {
            // libtorch would look up a row that is not there.
            let (token, first_sample) = (*token, batch.first_sample);
            return Err(RunError::Token { token, vocab_size, first_sample });
        }
        let tokens = torch_ext::from_owned(tokens, &[rows, batch.context_length as i64])?;
        let images =
            torch_ext::from_owner(batch, |batch| &mut batch.images, &[rows, side, side, 3])?;
        Ok(Inputs {
            images: images.to_device(device),
            tokens: tokens.to_device(device),
            keep: keep.transpose()?.map(|keep| keep.to_device(device)),
        })
    }

    /// What a step takes.
    pub(super) fn micro_batch(self) -> MicroBatch {
        let Inputs { images, tokens, keep } = self;
        MicroBatch { images, tokens, keep }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipa_recipe::Recipe;

    fn masks() -> Masks {
        let set = ["stage.image_reduction={mask=\"random\",drop=0.5}".to_owned()];
        let recipe = Recipe::load("tiny-i17-t8", &set, Some("pretrain")).unwrap();
        Masks::new(recipe.stage("pretrain").unwrap(), &recipe.model, 5).unwrap()
    }

    /// A mask belongs to its sample, not to the batch that the sample came in.
    #[test]
    fn masks_do_not_depend_on_the_batch() {
        let whole = masks().kept(10, 6);
        assert_eq!(whole.len(), 6 * 8);
        assert_eq!(whole, [masks().kept(10, 2), masks().kept(12, 4)].concat());
        assert_ne!(whole[..8], whole[8..16]);
    }

    #[test]
    fn a_stage_that_keeps_all_has_no_masks() {
        let recipe = Recipe::load("tiny-i17-t8", &[], None).unwrap();
        assert!(Masks::new(recipe.stage("pretrain").unwrap(), &recipe.model, 5).is_none());
    }

    #[test]
    fn images_are_not_copied() {
        let images = vec![7u8; 2 * 8 * 8 * 3];
        let address = images.as_ptr() as usize;
        let batch = Batch::from_parts(images, vec![1, 2, 3, 4], None, 8, 2);
        let inputs = Inputs::new(batch, None, 5, Device::Cpu).unwrap();
        assert_eq!(inputs.images.data_ptr() as usize, address);
        assert_eq!(inputs.images.size(), [2, 8, 8, 3]);
        assert_eq!(inputs.tokens.int64_value(&[1, 0]), 3);
    }

    #[test]
    fn a_token_without_a_row_is_an_error() {
        let batch = Batch::from_parts(vec![0; 192], vec![1, 5], None, 8, 2);
        let error = Inputs::new(batch, None, 5, Device::Cpu).unwrap_err();
        assert!(matches!(error, RunError::Token { token: 5, .. }));
    }
}
