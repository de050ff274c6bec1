//! The text tower: token ids to an embedding.

use tch::Tensor;

use clipa_recipe::model::config::{ModelConfig, TextPool};

use super::{
    block::{Block, BlockConfig, LayerNorm, dimensions},
    parameters::Parameters,
    recompute::Recorded,
};

#[derive(Debug)]
pub(super) struct TextTower {
    pool: TextPool,
    token_embedding: Tensor,
    positional_embedding: Tensor,
    blocks: Vec<Block>,
    ln_final: LayerNorm,
    text_projection: Tensor,
}

impl TextTower {
    pub(super) fn new(config: &ModelConfig, parameters: &Parameters) -> TextTower {
        let text = &config.text;
        let block = BlockConfig {
            heads: text.heads,
            gelu: config.text_gelu(),
            ln_eps: config.ln_eps,
            causal: text.causal,
        };
        let blocks = (0..text.layers)
            .map(|i| Block::new(parameters, &format!("transformer.resblocks.{i}"), block))
            .collect();
        TextTower {
            pool: text.pool,
            token_embedding: parameters.tensor("token_embedding.weight"),
            positional_embedding: parameters.tensor("positional_embedding"),
            blocks,
            ln_final: LayerNorm::new(parameters, "ln_final", config.ln_eps),
            text_projection: parameters.tensor("text_projection"),
        }
    }

    /// Ids `[B, C]` to embeddings `[B, E]`.
    pub(super) fn encode(&self, tokens: &Tensor) -> Tensor {
        let stem = self.stem(tokens);
        self.head(&self.blocks.iter().fold(stem, |x, block| block.forward(&x)), tokens)
    }

    /// The same with the blocks' activations forgotten.
    pub(super) fn record(&self, tokens: &Tensor) -> (Tensor, Recorded<'_>) {
        let recorded = Recorded::new(&self.blocks, self.stem(tokens));
        (self.head(recorded.last(), tokens), recorded)
    }

    fn stem(&self, tokens: &Tensor) -> Tensor {
        let embedded = Tensor::embedding(&self.token_embedding, tokens, -1, false, false);
        embedded + &self.positional_embedding
    }

    fn head(&self, x: &Tensor, tokens: &Tensor) -> Tensor {
        // The norm works row by row, so that one row a caption is enough.
        self.ln_final.forward(&self.pooled(x, tokens)).matmul(&self.text_projection)
    }

    fn pooled(&self, x: &Tensor, tokens: &Tensor) -> Tensor {
        let (batch, length, width) = dimensions(x);
        match self.pool {
            TextPool::First => x.select(1, 0),
            TextPool::Last => x.select(1, length - 1),
            TextPool::Argmax => {
                let place = tokens.argmax(-1, false).view([batch, 1, 1]);
                x.gather(1, &place.expand([-1, -1, width], false), false).squeeze_dim(1)
            }
        }
    }
}
