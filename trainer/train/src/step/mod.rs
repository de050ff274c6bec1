//! One step's gradients, of a batch of any size.
//!
//! ```text
//! micro-batches ──► features, no graph ─┐                      ┌─► features again, with graph ──► gradients of
//!   (the last one keeps its graph)      ├─► loss over all of   │   one micro-batch after the      parameters,
//!                                       │   them, in tiles ────┘   other                          added up
//!                                       └───► gradients of all features
//! ```
//! This is GradCache (Gao et al. 2021). The gradients are those of the undivided batch, of every parameter; only sums
//! are rounded in another order. What is random was drawn before (masks and reductions belong to their samples), so
//! that both passes see the same. Where one micro-batch holds the batch, its graph is all there is, and nothing is
//! computed twice.

mod micro_batch;
#[cfg(test)]
mod tests;
mod trial;

use clipa_recipe::Precision;
use tch::{Kind, Tensor};
use torch_ext::Autocast;

pub use self::{
    micro_batch::MicroBatch,
    trial::{fits, largest},
};
use crate::{
    loss::{self, Contrast, Rows, TILE_BYTES, Temperature, normalise},
    model::{Clip, Recorded, pass_on},
};

/// How gradients are computed.
#[derive(Clone, Copy, Debug)]
pub struct Step<'m> {
    /// The model; gradients are added to those that its parameters have.
    pub model: &'m Clip,
    /// Precision of the towers.
    pub precision: Precision,
    /// Are activations computed again in the backward pass?
    pub recompute: bool,
    /// Bytes of a tile of logits.
    pub tile_bytes: usize,
}

/// A step under way: micro-batches are added, and then it is finished.
#[derive(Debug)]
pub struct Pass<'m> {
    step: Step<'m>,
    /// Each with the features of its first pass.
    done: Vec<(MicroBatch, Features)>,
    /// Of the last micro-batch, which needs no second pass.
    graph: Option<Graph<'m>>,
}

/// Normalised features of a micro-batch, `[b, E]` each, without a graph.
#[derive(Debug)]
struct Features {
    images: Tensor,
    texts: Tensor,
}

/// Normalised features with their graph.
#[derive(Debug)]
struct Graph<'m> {
    features: Features,
    /// Both towers where activations are computed again.
    recorded: Option<[Recorded<'m>; 2]>,
}

impl<'m> Step<'m> {
    /// A step with tiles of [`TILE_BYTES`].
    pub fn new(model: &'m Clip, precision: Precision, recompute: bool) -> Step<'m> {
        Step { model, precision, recompute, tile_bytes: TILE_BYTES }
    }

    /// Begins a step.
    pub fn begin(self) -> Pass<'m> {
        Pass { step: self, done: Vec::new(), graph: None }
    }

    /// Both towers in the stage's precision, with the graph that `self.recompute` wants.
    fn forward(&self, inputs: &MicroBatch) -> Result<Graph<'m>, torch_ext::Error> {
        if !self.recompute {
            return Ok(Graph { features: self.features(inputs)?, recorded: None });
        }
        let inputs = inputs.on(self.model.device());
        let ((images, image_blocks), (texts, text_blocks)) = {
            let _precision = self.enter_precision()?;
            let images = self.model.record_image(&inputs.images, inputs.keep.as_ref());
            (images, self.model.record_text(&inputs.tokens))
        };
        let features = Features { images: normalise(&images), texts: normalise(&texts) };
        Ok(Graph { features, recorded: Some([image_blocks, text_blocks]) })
    }

    /// Normalised features; under a guard of `no_grad` no activation outlives its block.
    fn features(&self, inputs: &MicroBatch) -> Result<Features, torch_ext::Error> {
        let inputs = inputs.on(self.model.device());
        let (images, texts) = {
            let _precision = self.enter_precision()?;
            let images = self.model.encode_image(&inputs.images, inputs.keep.as_ref());
            (images, self.model.encode_text(&inputs.tokens))
        };
        Ok(Features { images: normalise(&images), texts: normalise(&texts) })
    }

    fn enter_precision(&self) -> Result<Option<Autocast>, torch_ext::Error> {
        match self.precision {
            Precision::Bf16 => Autocast::enter(self.model.device(), Kind::BFloat16).map(Some),
            Precision::F32 => Ok(None),
        }
    }

    /// The loss over all pairs, and the gradients of all features.
    fn contrast(&self, features: &Features) -> Contrast {
        let model = self.model;
        let rows = Rows { images: &features.images, texts: &features.texts, first: 0 };
        let temperature =
            Temperature { logit_scale: model.logit_scale(), logit_bias: model.logit_bias() };
        loss::contrast(model.config().loss, rows, &temperature, self.tile_bytes, |whole| whole)
    }

    /// From features back to the parameters.
    fn backward(&self, graph: Graph<'m>, gradients: &Features) -> Result<(), torch_ext::Error> {
        let Graph { features, recorded } = graph;
        pass_on(&features.images, &gradients.images);
        pass_on(&features.texts, &gradients.texts);
        // The heads' graphs have done their part.
        drop(features);
        for tower in recorded.into_iter().flatten() {
            tower.backward(|| self.enter_precision())?;
        }
        Ok(())
    }
}

impl Pass<'_> {
    /// Samples that were added.
    pub fn samples(&self) -> u64 {
        self.done.iter().map(|(inputs, _)| inputs.len()).sum()
    }

    /// Normalised features of all that was added, images and texts, `[n, E]` each.
    pub fn features(&self) -> (Tensor, Tensor) {
        let all = |of: fn(&Features) -> &Tensor| {
            let parts: Vec<&Tensor> = self.done.iter().map(|(_, features)| of(features)).collect();
            Tensor::cat(&parts, 0)
        };
        (all(|features| &features.images), all(|features| &features.texts))
    }

    /// Computes the features of the next micro-batch; with `is_last` it is the batch's last one.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn add(&mut self, inputs: MicroBatch, is_last: bool) -> Result<(), torch_ext::Error> {
        let features = if is_last {
            let graph = self.step.forward(&inputs)?;
            self.graph.insert(graph).features.detached()
        } else {
            let _no_grad = tch::no_grad_guard();
            self.step.features(&inputs)?
        };
        self.done.push((inputs, features));
        Ok(())
    }

    /// Adds the gradients of all parameters; returns the batch's loss, a scalar in f32.
    ///
    /// # Errors
    /// What libtorch says.
    ///
    /// # Panics
    /// Where no last micro-batch was added.
    pub fn finish(self) -> Result<Tensor, torch_ext::Error> {
        let Pass { step, done, graph } = self;
        let graph = graph.expect("a step has a last micro-batch");
        let (mut inputs, features): (Vec<MicroBatch>, Vec<Features>) = done.into_iter().unzip();
        let features = Features::all(features);
        let contrast = step.contrast(&features);
        drop(features);
        let gradients = Features { images: contrast.images, texts: contrast.texts };

        let mut end = gradients.images.size()[0];
        let mut gradients_of = |len: u64| {
            end -= len as i64;
            gradients.narrow(end, len as i64)
        };
        if let Some(last) = inputs.pop() {
            step.backward(graph, &gradients_of(last.len()))?;
        }
        // From the last to the first: which order does not matter to anything but rounding.
        while let Some(inputs) = inputs.pop() {
            let len = inputs.len();
            step.backward(step.forward(&inputs)?, &gradients_of(len))?;
        }
        pass_on(step.model.logit_scale(), &contrast.logit_scale.to_kind(Kind::Float));
        if let (Some(bias), Some(gradient)) = (step.model.logit_bias(), contrast.logit_bias) {
            pass_on(bias, &gradient.to_kind(Kind::Float));
        }
        Ok(contrast.loss.to_kind(Kind::Float))
    }
}

impl Features {
    fn detached(&self) -> Features {
        Features { images: self.images.detach(), texts: self.texts.detach() }
    }

    /// The rows of several micro-batches, in order; those of one are not copied.
    fn all(mut parts: Vec<Features>) -> Features {
        if parts.len() == 1
            && let Some(one) = parts.pop()
        {
            return one;
        }
        let (images, texts): (Vec<Tensor>, Vec<Tensor>) =
            parts.into_iter().map(|part| (part.images, part.texts)).unzip();
        Features { images: Tensor::cat(&images, 0), texts: Tensor::cat(&texts, 0) }
    }

    fn narrow(&self, start: i64, len: i64) -> Features {
        Features {
            images: self.images.narrow(0, start, len),
            texts: self.texts.narrow(0, start, len),
        }
    }
}
