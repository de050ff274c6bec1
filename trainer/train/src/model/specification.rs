//! Every parameter of a model: name, shape, first value, and whether it is trained. The one list behind building,
//! counting, saving and loading.

use clipa_recipe::model::{
    InputSizes, ModelConfig,
    config::{Loss, VisionPositions},
};

use super::initial::Initial;

/// One parameter before it has memory.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// open_clip's name in the state dict of its `CLIP` class.
    pub name: String,
    /// open_clip's shape.
    pub shape: Vec<i64>,
    /// What it holds before training.
    pub initial: Initial,
    /// Whether training changes it; a sin-cos table is stored but fixed.
    pub trained: bool,
}

impl ParameterSpec {
    /// Numbers that it holds.
    pub fn count(&self) -> i64 {
        self.shape.iter().product()
    }
}

/// ln(1/0.07), where the logit scale starts.
pub const INITIAL_LOGIT_SCALE: f32 = 2.659_260_2;
/// ln 10, where it starts for SigLIP's loss.
pub const INITIAL_SIGLIP_SCALE: f32 = std::f32::consts::LN_10;
/// Where SigLIP's bias starts: nearly all pairs do not belong together (Zhai et al. 2023).
pub const INITIAL_LOGIT_BIAS: f32 = -10.0;

/// All parameters, in the order of open_clip's `named_parameters()`.
///
/// First values follow open_clip's initialisation: the text tower's normals depend on width and depth, the image
/// tower's blocks keep PyTorch's defaults (open_clip's own function for them does nothing).
pub fn specify(config: &ModelConfig, sizes: InputSizes) -> Vec<ParameterSpec> {
    let (vision, text) = (&config.vision, &config.text);
    let mut list = List(Vec::new());
    let text_std = root(text.width);
    list.add("positional_embedding", &[sizes.context_length, text.width], normal(0.01));
    list.add("text_projection", &[text.width, config.embed_dim], normal(text_std));
    match config.loss {
        Loss::Clip => list.add("logit_scale", &[], Initial::Constant(INITIAL_LOGIT_SCALE)),
        Loss::Siglip => {
            list.add("logit_scale", &[], Initial::Constant(INITIAL_SIGLIP_SCALE));
            list.add("logit_bias", &[], Initial::Constant(INITIAL_LOGIT_BIAS));
        }
    }

    list.vision_stem(config, sizes);
    for layer in 0..vision.layers {
        let name = format!("visual.transformer.resblocks.{layer}");
        let initials = vision_block(vision.width, vision.mlp_width);
        list.block(&name, vision.width, vision.mlp_width, initials);
    }
    list.layer_norm("visual.ln_post", vision.width);

    for layer in 0..text.layers {
        let name = format!("transformer.resblocks.{layer}");
        let initials = text_block(text.width, text.layers, text.mlp_width);
        list.block(&name, text.width, text.mlp_width, initials);
    }
    list.add("token_embedding.weight", &[text.vocab_size, text.width], normal(0.02));
    list.layer_norm("ln_final", text.width);
    list.0
}

/// First values of one block; the attention's biases are zero in both towers.
struct BlockInitials {
    in_proj: Initial,
    out_proj: Initial,
    c_fc: Initial,
    c_fc_bias: Initial,
    c_proj: Initial,
    c_proj_bias: Initial,
}

/// PyTorch's defaults: Xavier-uniform for the packed qkv, U(±1/√fan_in) for the rest.
fn vision_block(width: i64, mlp_width: i64) -> BlockInitials {
    BlockInitials {
        in_proj: uniform((6.0 / (4 * width) as f64).sqrt()),
        out_proj: uniform(root(width)),
        c_fc: uniform(root(width)),
        c_fc_bias: uniform(root(width)),
        c_proj: uniform(root(mlp_width)),
        c_proj_bias: uniform(root(mlp_width)),
    }
}

/// CLIP's normals; MLP biases stay at PyTorch's default.
fn text_block(width: i64, layers: i64, mlp_width: i64) -> BlockInitials {
    let residual = root(width) * root(2 * layers);
    BlockInitials {
        in_proj: normal(root(width)),
        out_proj: normal(residual),
        c_fc: normal(root(2 * width)),
        c_fc_bias: uniform(root(width)),
        c_proj: normal(residual),
        c_proj_bias: uniform(root(mlp_width)),
    }
}

struct List(Vec<ParameterSpec>);

impl List {
    fn add(&mut self, name: &str, shape: &[i64], initial: Initial) {
        let (name, shape) = (name.to_owned(), shape.to_vec());
        self.0.push(ParameterSpec { name, shape, initial, trained: true });
    }

    fn layer_norm(&mut self, name: &str, width: i64) {
        self.add(&format!("{name}.weight"), &[width], Initial::Constant(1.0));
        self.add(&format!("{name}.bias"), &[width], Initial::Constant(0.0));
    }

    fn vision_stem(&mut self, config: &ModelConfig, sizes: InputSizes) {
        let vision = &config.vision;
        let (width, patch, std) = (vision.width, vision.patch_size, root(vision.width));
        self.add("visual.class_embedding", &[width], normal(std));
        let positions = match vision.positions {
            VisionPositions::Learnable => normal(std),
            fixed => Initial::SinCos { positions: fixed, grid_side: config.grid_side(sizes) },
        };
        self.0.push(ParameterSpec {
            name: "visual.positional_embedding".to_owned(),
            shape: vec![config.image_tokens(sizes), width],
            initial: positions,
            trained: vision.positions == VisionPositions::Learnable,
        });
        self.add("visual.proj", &[width, config.embed_dim], normal(std));
        let conv = uniform(root(3 * patch * patch));
        self.add("visual.conv1.weight", &[width, 3, patch, patch], conv);
        if vision.ln_pre {
            self.layer_norm("visual.ln_pre", width);
        }
    }

    fn block(&mut self, name: &str, width: i64, mlp_width: i64, initials: BlockInitials) {
        let zero = Initial::Constant(0.0);
        self.layer_norm(&format!("{name}.ln_1"), width);
        for (part, shape, initial) in [
            ("attn.in_proj_weight", vec![3 * width, width], initials.in_proj),
            ("attn.in_proj_bias", vec![3 * width], zero),
            ("attn.out_proj.weight", vec![width, width], initials.out_proj),
            ("attn.out_proj.bias", vec![width], zero),
        ] {
            self.add(&format!("{name}.{part}"), &shape, initial);
        }
        self.layer_norm(&format!("{name}.ln_2"), width);
        for (part, shape, initial) in [
            ("mlp.c_fc.weight", vec![mlp_width, width], initials.c_fc),
            ("mlp.c_fc.bias", vec![mlp_width], initials.c_fc_bias),
            ("mlp.c_proj.weight", vec![width, mlp_width], initials.c_proj),
            ("mlp.c_proj.bias", vec![width], initials.c_proj_bias),
        ] {
            self.add(&format!("{name}.{part}"), &shape, initial);
        }
    }
}

/// 1/√n.
fn root(n: i64) -> f64 {
    (n as f64).powf(-0.5)
}

fn normal(std: f64) -> Initial {
    Initial::Normal { std }
}

fn uniform(bound: f64) -> Initial {
    Initial::Uniform { bound }
}
