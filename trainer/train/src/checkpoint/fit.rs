//! Loading tensors into a model: all of them, of the right shape, or a message that names those that are not.

use std::{collections::BTreeMap, path::Path};

use tch::{Device, Kind, Tensor};

use super::CheckpointError;
use crate::model::{Clip, Parameter, positions};

/// Tensors that a message names before it says how many more there are.
const NAMED_IN_MESSAGE: usize = 4;

/// Whether position embeddings of other lengths are resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Every shape must be equal: a continuation.
    Exact,
    /// Position embeddings are resized as open_clip does: a new stage.
    Resize,
}

/// Loads `tensors`, read from `path`, into the model. A fixed table of positions is not loaded: it is a function of
/// the model's sizes.
///
/// # Errors
/// [`CheckpointError::OtherModel`] with the tensors that are missing, left over or of another shape; the model is then
/// unchanged.
pub fn load_model(
    model: &Clip,
    mut tensors: BTreeMap<String, Tensor>,
    fit: Fit,
    path: &Path,
) -> Result<(), CheckpointError> {
    let (mut fitting, mut missing, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for parameter in model.parameters().iter() {
        let (name, shape) = (&parameter.spec.name, &parameter.spec.shape);
        let stored = tensors.remove(name).or_else(|| absent(name, fit));
        let Some(tensor) = stored else {
            missing.push(name.clone());
            continue;
        };
        let tensor = fitted(model, parameter, tensor, fit);
        if tensor.size() == *shape {
            fitting.push((parameter, tensor));
        } else {
            wrong.push(format!("{name} is {:?}, not {shape:?}", tensor.size()));
        }
    }
    let left_over: Vec<String> = tensors.into_keys().collect();
    if missing.is_empty() && wrong.is_empty() && left_over.is_empty() {
        for (parameter, tensor) in
            fitting.into_iter().filter(|(parameter, _)| parameter.spec.trained)
        {
            model.parameters().assign(&parameter.spec.name, &tensor);
        }
        return Ok(());
    }
    let parts =
        [("missing", missing), ("of another shape", wrong), ("not of this model", left_over)];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    let detail: Vec<String> =
        parts.map(|(what, names)| format!("{} {what}: {}", names.len(), some(names))).collect();
    Err(CheckpointError::OtherModel { path: path.into(), detail: detail.join("; ") })
}

/// What stands for a parameter that the file lacks: weights that were trained with CLIP's loss have no bias of SigLIP's,
/// which then begins at 0, as in open_clip.
fn absent(name: &str, fit: Fit) -> Option<Tensor> {
    let is_bias = fit == Fit::Resize && name == "logit_bias";
    is_bias.then(|| Tensor::zeros([0i64; 0], (Kind::Float, Device::Cpu)))
}

/// A tensor in the parameter's shape where the rules allow it, else as it is.
fn fitted(model: &Clip, parameter: &Parameter, tensor: Tensor, fit: Fit) -> Tensor {
    let shape = &parameter.spec.shape;
    if shape.is_empty() && tensor.numel() == 1 {
        // open_clip stores the logit scale and bias as [] or [1].
        return tensor.reshape([0i64; 0]);
    }
    let stored = tensor.size();
    let same_width = stored.len() == 2 && stored.last() == shape.last();
    if fit == Fit::Exact || stored == *shape || !same_width {
        return tensor;
    }
    let (grid, context) = (model.config().grid_side(model.sizes()), model.sizes().context_length);
    positions::at_lengths(&parameter.spec.name, tensor, grid, context)
}

fn some(names: &[String]) -> String {
    let shown = names.iter().take(NAMED_IN_MESSAGE).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_IN_MESSAGE) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
