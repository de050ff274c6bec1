//! Loading tensors into a model: all of them, of the right shape, or a message that names those that are not.

use std::{collections::BTreeMap, path::Path};

use clipa_recipe::model::config::VisionPositions;
use tch::{Device, Kind, Tensor};

use super::{CheckpointError, header::SafeFile, names};
use crate::model::{Clip, InputSizes, ModelConfig, Parameter, ParameterSpec, positions, specify};

/// Tensors that a message names before it says how many more there are.
const NAMED_IN_MESSAGE: usize = 4;
/// How far a stored table of positions may be from the computed one: bf16 keeps a number of 1 to 0.004.
const TABLE_TOLERANCE: f64 = 0.01;
/// The image tower's positions.
const VISION_POSITIONS: &str = "visual.positional_embedding";

/// Whether position embeddings of other lengths are resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Every shape must be equal: a continuation.
    Exact,
    /// Position embeddings are resized as open_clip does, and names may be wrapped: a new stage.
    Resize,
}

/// Loads `tensors`, read from `path`, into the model. A fixed table of positions is not loaded: it is a function of
/// the model's sizes. That the file's is one, too, is checked.
///
/// # Errors
/// [`CheckpointError::OtherModel`] with the tensors that are missing, left over or of another shape, and for trained positions where
/// the model's are a table; the model is then unchanged.
pub fn load_model(
    model: &Clip,
    tensors: BTreeMap<String, Tensor>,
    fit: Fit,
    path: &Path,
) -> Result<(), CheckpointError> {
    let other = |detail: String| CheckpointError::OtherModel { path: path.into(), detail };
    let mut tensors = match fit {
        Fit::Exact => tensors,
        Fit::Resize => names::canonical_all(tensors).map_err(other)?.0,
    };
    let shapes = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.size())).collect();
    let specs: Vec<&ParameterSpec> =
        model.parameters().iter().map(|parameter| &parameter.spec).collect();
    compare(&specs, &shapes, fit).map_err(other)?;
    if let Some(positions) = tensors.get(VISION_POSITIONS) {
        check_table(model.config().vision.positions, positions).map_err(other)?;
    }
    for parameter in model.parameters().iter().filter(|parameter| parameter.spec.trained) {
        let name = &parameter.spec.name;
        let stored = tensors.remove(name).unwrap_or_else(absent);
        model.parameters().assign(name, &fitted(model, parameter, stored));
    }
    Ok(())
}

/// Reads a file's header and compares it with the model that a stage would build; of the numbers only the image tower's positions are
/// read.
///
/// # Errors
/// As [`load_model`], and where the file is damaged.
pub fn check_file(
    path: &Path,
    config: &ModelConfig,
    sizes: InputSizes,
) -> Result<(), CheckpointError> {
    let other = |detail: String| CheckpointError::OtherModel { path: path.into(), detail };
    let file = SafeFile::open(path)?;
    let stored: BTreeMap<String, (String, Vec<i64>)> =
        file.shapes().into_iter().map(|(name, shape)| (name.clone(), (name, shape))).collect();
    let (stored, _) = names::canonical_all(stored).map_err(other)?;
    let shapes = stored.iter().map(|(name, (_, shape))| (name.clone(), shape.clone())).collect();
    let specs = specify(config, sizes);
    compare(&specs.iter().collect::<Vec<_>>(), &shapes, Fit::Resize).map_err(other)?;
    match stored.get(VISION_POSITIONS) {
        Some((name, _)) => check_table(config.vision.positions, &file.tensor(name)?).map_err(other),
        None => Ok(()),
    }
}

/// Compares names and shapes with those of a model.
///
/// # Errors
/// A sentence with what is missing, of another shape, or left over.
pub fn compare(
    specs: &[&ParameterSpec],
    stored: &BTreeMap<String, Vec<i64>>,
    fit: Fit,
) -> Result<(), String> {
    let (mut missing, mut wrong) = (Vec::new(), Vec::new());
    for spec in specs {
        match stored.get(&spec.name) {
            None if may_lack(&spec.name, fit) => {}
            None => missing.push(spec.name.clone()),
            Some(shape) if fits(spec, shape, fit) => {}
            Some(shape) => wrong.push(format!("{} is {shape:?}, not {:?}", spec.name, spec.shape)),
        }
    }
    let left_over = stored.keys().filter(|name| specs.iter().all(|spec| spec.name != **name));
    let left_over: Vec<String> = left_over.cloned().collect();
    let parts =
        [("missing", missing), ("of another shape", wrong), ("not of this model", left_over)];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    let detail: Vec<String> =
        parts.map(|(what, names)| format!("{} {what}: {}", names.len(), some(names))).collect();
    if detail.is_empty() { Ok(()) } else { Err(detail.join("; ")) }
}

/// Which fixed table some positions are, `[1 + side², width]`; `None` for trained ones.
pub fn table_of(stored: &Tensor) -> Option<VisionPositions> {
    [VisionPositions::SinCos2d, VisionPositions::SinCos2dJax]
        .into_iter()
        .find(|&kind| is_table(kind, stored))
}

/// Refuses positions that would be lost: a model whose positions are a table does not load any.
fn check_table(kind: VisionPositions, stored: &Tensor) -> Result<(), String> {
    if kind == VisionPositions::Learnable || is_table(kind, stored) {
        return Ok(());
    }
    let word = |kind: VisionPositions| match kind {
        VisionPositions::Learnable => "learnable",
        VisionPositions::SinCos2d => "sin-cos-2d",
        VisionPositions::SinCos2dJax => "sin-cos-2d-jax",
    };
    Err(match table_of(stored) {
        Some(other) => format!(
            "{VISION_POSITIONS} is the table {}, and the model computes {}",
            word(other),
            word(kind)
        ),
        None => format!(
            "{VISION_POSITIONS} was trained, and the model computes a fixed table, {}: what was trained would be lost",
            word(kind)
        ),
    })
}

fn is_table(kind: VisionPositions, stored: &Tensor) -> bool {
    let size = stored.size();
    let [rows, width] = size[..] else { return false };
    if !positions::is_square(rows - 1) || width % 8 != 0 {
        return false;
    }
    let side = ((rows - 1) as f64).sqrt() as i64;
    let table = Tensor::from_slice(&positions::sin_cos_2d(kind, width, side)).view([rows, width]);
    (stored.to_kind(Kind::Float) - table).abs().max().double_value(&[]) < TABLE_TOLERANCE
}

/// Weights that were trained with CLIP's loss have no bias of SigLIP's, which then begins at 0, as in open_clip.
fn may_lack(name: &str, fit: Fit) -> bool {
    fit == Fit::Resize && name == "logit_bias"
}

fn absent() -> Tensor {
    Tensor::zeros([0i64; 0], (Kind::Float, Device::Cpu))
}

/// Can a tensor of this shape become the parameter?
fn fits(spec: &ParameterSpec, stored: &[i64], fit: Fit) -> bool {
    // open_clip stores the logit scale and bias as [] or [1].
    let is_scalar = spec.shape.is_empty() && stored.iter().product::<i64>() == 1;
    let same_width = stored.len() == 2 && stored.last() == spec.shape.last();
    stored == spec.shape
        || is_scalar
        || (fit == Fit::Resize
            && same_width
            && match spec.name.as_str() {
                VISION_POSITIONS => positions::is_square(stored[0] - 1),
                "positional_embedding" => stored[0] > 0,
                _ => false,
            })
}

/// A tensor in the parameter's shape, which it fits.
fn fitted(model: &Clip, parameter: &Parameter, tensor: Tensor) -> Tensor {
    let shape = &parameter.spec.shape;
    if tensor.size() == *shape {
        return tensor;
    }
    if shape.is_empty() {
        return tensor.reshape(shape);
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
