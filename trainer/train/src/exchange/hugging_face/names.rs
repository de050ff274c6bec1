//! Names of `CLIPModel`'s tensors, and the three products that open_clip keeps as one.

use std::collections::BTreeMap;

use clipa_recipe::model::ModelConfig;
use tch::Tensor;

/// Parts outside the blocks: open_clip's name, Hugging Face's, and whether one is the other's transpose.
const PARTS: [(&str, &str, bool); 14] = [
    ("positional_embedding", "text_model.embeddings.position_embedding.weight", false),
    ("token_embedding.weight", "text_model.embeddings.token_embedding.weight", false),
    ("ln_final.weight", "text_model.final_layer_norm.weight", false),
    ("ln_final.bias", "text_model.final_layer_norm.bias", false),
    ("text_projection", "text_projection.weight", true),
    ("logit_scale", "logit_scale", false),
    ("visual.class_embedding", "vision_model.embeddings.class_embedding", false),
    ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight", false),
    ("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight", false),
    // The misspelling is theirs.
    ("visual.ln_pre.weight", "vision_model.pre_layrnorm.weight", false),
    ("visual.ln_pre.bias", "vision_model.pre_layrnorm.bias", false),
    ("visual.ln_post.weight", "vision_model.post_layernorm.weight", false),
    ("visual.ln_post.bias", "vision_model.post_layernorm.bias", false),
    ("visual.proj", "visual_projection.weight", true),
];
/// Parts of a block that have one tensor in both.
const BLOCK: [(&str, &str); 10] = [
    ("ln_1.weight", "layer_norm1.weight"),
    ("ln_1.bias", "layer_norm1.bias"),
    ("attn.out_proj.weight", "self_attn.out_proj.weight"),
    ("attn.out_proj.bias", "self_attn.out_proj.bias"),
    ("ln_2.weight", "layer_norm2.weight"),
    ("ln_2.bias", "layer_norm2.bias"),
    ("mlp.c_fc.weight", "mlp.fc1.weight"),
    ("mlp.c_fc.bias", "mlp.fc1.bias"),
    ("mlp.c_proj.weight", "mlp.fc2.weight"),
    ("mlp.c_proj.bias", "mlp.fc2.bias"),
];
/// Query, key and value, in the order of open_clip's `in_proj`.
const QKV: [&str; 3] = ["q_proj", "k_proj", "v_proj"];

/// Are these the names of a `CLIPModel`?
pub(in crate::exchange) fn is_hugging_face<'n>(mut names: impl Iterator<Item = &'n str>) -> bool {
    names.any(|name| name.starts_with("vision_model.") || name.starts_with("text_model."))
}

/// Each tower's prefix there and here, with its number of blocks.
fn towers(model: &ModelConfig) -> [(&'static str, &'static str, i64); 2] {
    [
        ("vision_model.encoder.layers", "visual.transformer.resblocks", model.vision.layers),
        ("text_model.encoder.layers", "transformer.resblocks", model.text.layers),
    ]
}

/// Tensors under open_clip's names; what has none there keeps its own, so that it is named as left over.
pub(in crate::exchange) fn to_open_clip(
    mut tensors: BTreeMap<String, Tensor>,
    model: &ModelConfig,
) -> BTreeMap<String, Tensor> {
    let mut named = BTreeMap::new();
    for (ours, theirs, is_transposed) in PARTS {
        if let Some(tensor) = tensors.remove(theirs) {
            let tensor = if is_transposed { transposed(&tensor) } else { tensor };
            named.insert(ours.to_owned(), tensor);
        }
    }
    for (theirs, ours, layers) in towers(model) {
        for layer in 0..layers {
            for (here, there) in BLOCK {
                if let Some(tensor) = tensors.remove(&format!("{theirs}.{layer}.{there}")) {
                    named.insert(format!("{ours}.{layer}.{here}"), tensor);
                }
            }
            for kind in ["weight", "bias"] {
                let name = |part: &str| format!("{theirs}.{layer}.self_attn.{part}.{kind}");
                if QKV.iter().all(|part| tensors.contains_key(&name(part))) {
                    let parts: Vec<Tensor> =
                        QKV.iter().filter_map(|part| tensors.remove(&name(part))).collect();
                    let joined =
                        Tensor::f_cat(&parts, 0).unwrap_or_else(|_| parts[0].shallow_clone());
                    named.insert(format!("{ours}.{layer}.attn.in_proj_{kind}"), joined);
                }
            }
        }
    }
    named.extend(tensors);
    named
}

/// Tensors of a model that [`super::unsayable`] has nothing against, under Hugging Face's names.
pub(in crate::exchange) fn from_open_clip(
    mut tensors: BTreeMap<String, Tensor>,
    model: &ModelConfig,
) -> BTreeMap<String, Tensor> {
    let mut named = BTreeMap::new();
    for (ours, theirs, is_transposed) in PARTS {
        if let Some(tensor) = tensors.remove(ours) {
            let tensor = if is_transposed { transposed(&tensor) } else { tensor };
            named.insert(theirs.to_owned(), tensor);
        }
    }
    for (theirs, ours, layers) in towers(model) {
        for layer in 0..layers {
            for (here, there) in BLOCK {
                if let Some(tensor) = tensors.remove(&format!("{ours}.{layer}.{here}")) {
                    named.insert(format!("{theirs}.{layer}.{there}"), tensor);
                }
            }
            for kind in ["weight", "bias"] {
                if let Some(joined) = tensors.remove(&format!("{ours}.{layer}.attn.in_proj_{kind}"))
                {
                    for (part, tensor) in QKV.iter().zip(joined.chunk(3, 0)) {
                        let name = format!("{theirs}.{layer}.self_attn.{part}.{kind}");
                        named.insert(name, tensor);
                    }
                }
            }
        }
    }
    named.extend(tensors);
    named
}

fn transposed(tensor: &Tensor) -> Tensor {
    if tensor.dim() == 2 { tensor.tr().contiguous() } else { tensor.shallow_clone() }
}

#[cfg(test)]
mod tests {
    use clipa_recipe::Recipe;

    use super::*;
    use crate::model::{InputSizes, specify};

    #[test]
    fn there_and_back_every_tensor_is_itself() {
        let recipe = Recipe::load("tiny-photos", &[], None).unwrap();
        let sizes = InputSizes { image_size: 16, context_length: 8 };
        let tensors = || -> BTreeMap<String, Tensor> {
            let specs = specify(&recipe.model, sizes);
            let tensor = |spec: &crate::model::ParameterSpec| {
                spec.initial.tensor(3, &spec.name, &spec.shape)
            };
            specs.iter().map(|spec| (spec.name.clone(), tensor(spec))).collect()
        };
        let there = from_open_clip(tensors(), &recipe.model);
        // Three products for one, in each of five blocks, weights and biases.
        assert_eq!(there.len(), tensors().len() + 2 * 2 * 5);
        assert!(there.keys().all(|name| !name.contains("resblocks")), "{:?}", there.keys());
        assert_eq!(there["visual_projection.weight"].size(), [64, 96]);
        let back = to_open_clip(there, &recipe.model);
        for (name, tensor) in tensors() {
            assert_eq!(back[&name], tensor, "{name}");
        }
        assert_eq!(back.len(), tensors().len());
    }
}
