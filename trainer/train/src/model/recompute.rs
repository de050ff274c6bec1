//! A tower whose blocks forget their activations and compute them again when the gradient comes by.
//!
//! PyTorch's `checkpoint` in Chen et al. 2016's sense, block by block, without an autograd function of its own: the
//! gradient `g` of a block's output y is passed on by the backward pass of `Σ y·g`, whose derivative by y is g.

use tch::{Kind, Tensor};

use super::block::Block;

/// A forward pass through a tower's blocks of which only the blocks' inputs are in memory.
#[derive(Debug)]
pub struct Recorded<'m> {
    blocks: &'m [Block],
    /// What the first block reads, with the graph of what lies before.
    stem: Tensor,
    /// What every block reads, each the beginning of a graph.
    inputs: Vec<Tensor>,
    /// What the last block returns, the beginning of the graph of what lies behind.
    last: Tensor,
}

impl<'m> Recorded<'m> {
    pub(super) fn new(blocks: &'m [Block], stem: Tensor) -> Recorded<'m> {
        let mut inputs = Vec::with_capacity(blocks.len());
        let mut x = stem.detach();
        {
            let _no_grad = tch::no_grad_guard();
            for block in blocks {
                let output = block.forward(&x);
                inputs.push(x);
                x = output;
            }
        }
        let last = x.set_requires_grad(true);
        Recorded { blocks, stem, inputs, last }
    }

    /// What the tower's head reads.
    pub(super) fn last(&self) -> &Tensor {
        &self.last
    }

    /// Goes on with the backward pass that has come to the last block's output. `precision` is entered for the blocks'
    /// forward passes, as it was the first time.
    ///
    /// # Errors
    /// What `precision` says.
    pub fn backward<G, E>(self, precision: impl Fn() -> Result<G, E>) -> Result<(), E> {
        let mut gradient = self.last.grad();
        for (block, input) in self.blocks.iter().zip(self.inputs).rev() {
            let input = input.set_requires_grad(true);
            let output = {
                let _precision = precision()?;
                block.forward(&input)
            };
            pass_on(&output, &gradient);
            gradient = input.grad();
        }
        pass_on(&self.stem, &gradient);
        Ok(())
    }
}

/// Runs the backward pass from `output`, whose gradient is known.
pub fn pass_on(output: &Tensor, gradient: &Tensor) {
    (output * gradient).sum(Kind::Float).backward();
}
