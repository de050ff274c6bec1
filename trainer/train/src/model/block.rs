//! One pre-norm transformer block, the same for both towers.

use tch::Tensor;

use clipa_recipe::model::config::Gelu;

use super::parameters::Parameters;

/// What all blocks of a tower share.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockConfig {
    pub(super) heads: i64,
    pub(super) gelu: Gelu,
    pub(super) ln_eps: f64,
    pub(super) causal: bool,
}

/// Attention and MLP, each behind a layer norm and added to the residual stream.
#[derive(Debug)]
pub(super) struct Block {
    config: BlockConfig,
    ln_1: LayerNorm,
    in_proj: Linear,
    out_proj: Linear,
    ln_2: LayerNorm,
    c_fc: Linear,
    c_proj: Linear,
}

/// Weight and bias of a layer norm over the last dimension.
#[derive(Debug)]
pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

#[derive(Debug)]
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Block {
    pub(super) fn new(parameters: &Parameters, name: &str, config: BlockConfig) -> Block {
        let norm =
            |part: &str| LayerNorm::new(parameters, &format!("{name}.{part}"), config.ln_eps);
        let linear = |weight: &str, bias: &str| Linear {
            weight: parameters.tensor(&format!("{name}.{weight}")),
            bias: parameters.tensor(&format!("{name}.{bias}")),
        };
        Block {
            config,
            ln_1: norm("ln_1"),
            in_proj: linear("attn.in_proj_weight", "attn.in_proj_bias"),
            out_proj: linear("attn.out_proj.weight", "attn.out_proj.bias"),
            ln_2: norm("ln_2"),
            c_fc: linear("mlp.c_fc.weight", "mlp.c_fc.bias"),
            c_proj: linear("mlp.c_proj.weight", "mlp.c_proj.bias"),
        }
    }

    /// `[batch, tokens, width]` to the same.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let x = x + self.attention(&self.ln_1.forward(x));
        let hidden = activate(&self.c_fc.forward(&self.ln_2.forward(&x)), self.config.gelu);
        &x + self.c_proj.forward(&hidden)
    }

    /// One product makes q, k and v; `unbind` of a dimension of three costs a single stack in the backward pass.
    /// No mask tensor: with one, libtorch leaves its flash kernel.
    fn attention(&self, x: &Tensor) -> Tensor {
        let (batch, tokens, width) = dimensions(x);
        let heads = self.config.heads;
        let qkv = self.in_proj.forward(x).view([batch, tokens, 3, heads, width / heads]);
        let qkv = qkv.permute([2, 0, 3, 1, 4]).unbind(0);
        let attended = Tensor::scaled_dot_product_attention::<&Tensor>(
            &qkv[0],
            &qkv[1],
            &qkv[2],
            None,
            0.0,
            self.config.causal,
            None,
            false,
        );
        self.out_proj.forward(&attended.transpose(1, 2).reshape([batch, tokens, width]))
    }
}

impl LayerNorm {
    pub(super) fn new(parameters: &Parameters, name: &str, eps: f64) -> LayerNorm {
        LayerNorm {
            weight: parameters.tensor(&format!("{name}.weight")),
            bias: parameters.tensor(&format!("{name}.bias")),
            eps,
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        x.layer_norm(self.weight.size(), weight, bias, self.eps, true)
    }
}

impl Linear {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

fn activate(x: &Tensor, gelu: Gelu) -> Tensor {
    match gelu {
        Gelu::Erf => x.gelu("none"),
        Gelu::Tanh => x.gelu("tanh"),
        Gelu::Quick => x * (x * 1.702).sigmoid(),
    }
}

/// The three sides of a `[batch, tokens, width]` tensor.
pub(super) fn dimensions(x: &Tensor) -> (i64, i64, i64) {
    let size = x.size();
    (size[0], size[1], size[2])
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::model::{Initial, ParameterSpec};

    const WIDTH: i64 = 24;

    fn block(causal: bool) -> (Block, Parameters) {
        let spec = |name: &str, shape: &[i64]| ParameterSpec {
            name: format!("b.{name}"),
            shape: shape.to_vec(),
            initial: Initial::Normal { std: 0.5 },
            trained: true,
        };
        let (w, m) = (WIDTH, 2 * WIDTH);
        let specs = vec![
            spec("ln_1.weight", &[w]),
            spec("ln_1.bias", &[w]),
            spec("attn.in_proj_weight", &[3 * w, w]),
            spec("attn.in_proj_bias", &[3 * w]),
            spec("attn.out_proj.weight", &[w, w]),
            spec("attn.out_proj.bias", &[w]),
            spec("ln_2.weight", &[w]),
            spec("ln_2.bias", &[w]),
            spec("mlp.c_fc.weight", &[m, w]),
            spec("mlp.c_fc.bias", &[m]),
            spec("mlp.c_proj.weight", &[w, m]),
            spec("mlp.c_proj.bias", &[w]),
        ];
        let parameters = Parameters::new(specs, 1, Device::Cpu);
        let config = BlockConfig { heads: 3, gelu: Gelu::Erf, ln_eps: 1e-5, causal };
        (Block::new(&parameters, "b", config), parameters)
    }

    /// softmax(q·kᵀ/√d)·v, head by head, as it is written in papers.
    fn attention_by_definition(block: &Block, x: &Tensor, causal: bool) -> Tensor {
        let (batch, tokens, width) = dimensions(x);
        let (heads, depth) = (block.config.heads, width / block.config.heads);
        let part = |index: i64| {
            let part = block.in_proj.forward(x).narrow(2, index * width, width);
            part.view([batch, tokens, heads, depth]).transpose(1, 2)
        };
        let mut logits = part(0).matmul(&part(1).transpose(-2, -1)) / (depth as f64).sqrt();
        if causal {
            let later = Tensor::ones([tokens, tokens], (Kind::Bool, Device::Cpu)).triu(1);
            logits = logits.masked_fill(&later, f64::NEG_INFINITY);
        }
        let attended = logits.softmax(-1, Kind::Float).matmul(&part(2));
        block.out_proj.forward(&attended.transpose(1, 2).reshape([batch, tokens, width]))
    }

    #[test]
    fn attention_and_its_gradients_follow_the_definition() {
        for causal in [false, true] {
            let (block, parameters) = block(causal);
            let x = Initial::Normal { std: 1.0 }.tensor(2, "x", &[2, 17, WIDTH]);
            let x = x.set_requires_grad(true);
            let weight = parameters.tensor("b.attn.in_proj_weight");
            let probe = Initial::Normal { std: 1.0 }.tensor(3, "probe", &[2, 17, WIDTH]);
            let gradients = |output: &Tensor| {
                let sum = (output * &probe).sum(Kind::Float);
                Tensor::run_backward(&[sum], &[&x, &weight], false, false)
            };
            let (fused, plain) = (block.attention(&x), attention_by_definition(&block, &x, causal));
            assert!(fused.allclose(&plain, 1e-4, 1e-4, false), "causal {causal}");
            for (fused, plain) in gradients(&fused).iter().zip(gradients(&plain)) {
                assert!(fused.allclose(&plain, 1e-4, 1e-3, false), "causal {causal}");
            }
        }
    }
}
