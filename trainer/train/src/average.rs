//! A moving average of the weights, as a stage's choice (`ema = 0.9999`).
//!
//! After each step `average += (1 − d) · (weight − average)`, which is timm's `ModelEma` (`ema · d + weight · (1 − d)`).
//! The decay `d` is the stage's, but at most `(1 + step) / (10 + step)`, as in TensorFlow's `ExponentialMovingAverage`: the
//! weights that a stage begins with are forgotten within as many steps as it has taken, and not only after `1 / (1 − ema)`.
//! All trained parameters are averaged, the logit scale too, in f32 and on the model's device: 4 bytes a parameter.

use std::collections::BTreeMap;

use tch::Tensor;

use crate::model::Clip;

/// Averages of a model's trained parameters.
#[derive(Debug)]
pub struct Average {
    decay: f64,
    names: Vec<String>,
    parameters: Vec<Tensor>,
    averages: Vec<Tensor>,
}

impl Average {
    /// Begins with the weights as they are.
    pub fn new(model: &Clip, decay: f64) -> Average {
        let trained = model.parameters().iter().filter(|parameter| parameter.spec.trained);
        let (names, parameters): (Vec<String>, Vec<Tensor>) = trained
            .map(|parameter| (parameter.spec.name.clone(), parameter.tensor.shallow_clone()))
            .unzip();
        let averages = parameters.iter().map(|parameter| parameter.detach().copy()).collect();
        Average { decay, names, parameters, averages }
    }

    /// Follows the weights after the `step`-th step, counted from 1.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn follow(&self, step: u64) -> Result<(), torch_ext::Error> {
        let weight = 1.0 - decay_at(self.decay, step);
        torch_ext::average(&self.averages, &self.parameters, weight)
    }

    /// The averaged model under its parameters' names; what is not trained is as it is.
    pub fn weights(&self, model: &Clip) -> Vec<(String, Tensor)> {
        let averages: BTreeMap<&str, &Tensor> =
            self.names.iter().map(String::as_str).zip(&self.averages).collect();
        let parameters = model.parameters().iter();
        parameters
            .map(|parameter| {
                let name = &parameter.spec.name;
                let tensor = averages.get(name.as_str()).copied().unwrap_or(&parameter.tensor);
                (name.clone(), tensor.shallow_clone())
            })
            .collect()
    }

    /// Puts back what [`Average::weights`] returned.
    ///
    /// # Errors
    /// The name of an average that is missing or of another shape; nothing is changed then.
    pub fn restore(&mut self, stored: &BTreeMap<String, Tensor>) -> Result<(), String> {
        for (name, average) in self.names.iter().zip(&self.averages) {
            let tensor = stored.get(name).ok_or_else(|| format!("{name} is missing"))?;
            if tensor.size() != average.size() {
                return Err(format!("{name} is {:?}, not {:?}", tensor.size(), average.size()));
            }
        }
        let _no_grad = tch::no_grad_guard();
        for (name, average) in self.names.iter().zip(&mut self.averages) {
            average.copy_(&stored[name]);
        }
        Ok(())
    }
}

/// The decay of a step.
fn decay_at(decay: f64, step: u64) -> f64 {
    decay.min((1 + step) as f64 / (10 + step) as f64)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use clipa_recipe::Recipe;

    #[test]
    fn the_beginning_is_forgotten_and_later_the_decay_counts() {
        assert_eq!(decay_at(0.9999, 1), 2.0 / 11.0);
        assert_eq!(decay_at(0.99, 10_000), 0.99);
    }

    /// The formula in f64, over three steps of one parameter.
    #[test]
    fn averages_follow_the_formula_and_the_model_stays() {
        let set: Vec<String> =
            ["model.vision.layers=1", "model.text.layers=1"].map(str::to_owned).to_vec();
        let recipe = Recipe::load("tiny-i17-t8", &set, Some("pretrain")).unwrap();
        let stage = recipe.stage("pretrain").unwrap();
        let model = Clip::new(&stage.model(&recipe.model), stage.sizes(), 1, Device::Cpu).unwrap();
        let average = Average::new(&model, 0.3);
        let mut expected = model.logit_scale().double_value(&[]);
        for step in 1..=3 {
            let weight = Tensor::full([0i64; 0], step as f64, (Kind::Float, Device::Cpu));
            model.parameters().assign("logit_scale", &weight);
            average.follow(step).unwrap();
            let decay = decay_at(0.3, step);
            expected = decay * expected + (1.0 - decay) * step as f64;
        }
        let weights = average.weights(&model);
        assert_eq!(weights.len(), model.parameters().iter().count());
        let find = |name: &str| &weights.iter().find(|(found, _)| found == name).unwrap().1;
        assert!((find("logit_scale").double_value(&[]) - expected).abs() < 1e-6);
        assert_eq!(model.logit_scale().double_value(&[]), 3.0);
        let mut again = Average::new(&model, 0.3);
        again.restore(&weights.iter().map(|(n, t)| (n.clone(), t.copy())).collect()).unwrap();
        assert_eq!(again.weights(&model), weights);
        assert!(again.restore(&BTreeMap::new()).unwrap_err().contains("is missing"));
        // A fixed table is the model's own.
        let table = "visual.positional_embedding";
        assert_eq!(*find(table), model.parameters().tensor(table));
    }
}
