//! AdamW over a model's trained parameters, with the published groups.

use std::collections::BTreeMap;

use clipa_recipe::{AdamWConfig, Decay};
use tch::{Device, Kind, Tensor};
use torch_ext::AdamWStep;

use crate::model::{INITIAL_LOGIT_SCALE, ParameterSpec, Parameters};

/// Greatest logit scale, ln 100: after every step the parameter is clamped to `[0, ln 100]`.
pub const MAX_LOGIT_SCALE: f64 = 4.605_170_185_988_092;

/// Moments by name, as [`AdamW::moments`] names them.
pub type NamedMoments = BTreeMap<String, Tensor>;

/// Parameters and moments of one optimizer, in two groups.
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    groups: [Group; 2],
    /// The trained parameters of each tower.
    towers: [Vec<Tensor>; Tower::ALL.len()],
    logit_scale: Tensor,
}

/// The parts of a model whose gradients are watched each for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tower {
    /// The image tower with its projection.
    Vision,
    /// The text tower with its embeddings and its projection.
    Text,
    /// The logit scale, and SigLIP's bias.
    LogitScale,
}

impl Tower {
    /// All of them, in the order of [`AdamW::step`]'s norms.
    pub const ALL: [Tower; 3] = [Tower::Vision, Tower::Text, Tower::LogitScale];

    /// The tower that a parameter of this name belongs to.
    pub fn of(parameter: &str) -> Tower {
        match parameter {
            "logit_scale" | "logit_bias" => Tower::LogitScale,
            name if name.starts_with("visual.") => Tower::Vision,
            _ => Tower::Text,
        }
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Tower::Vision => "vision",
            Tower::Text => "text",
            Tower::LogitScale => "logit_scale",
        }
    }
}

#[derive(Debug, Default)]
struct Group {
    names: Vec<String>,
    parameters: Vec<Tensor>,
    first_moments: Vec<Tensor>,
    second_moments: Vec<Tensor>,
    steps: Vec<Tensor>,
    decays: bool,
}

/// Does weight decay apply to a parameter?
///
/// open_clip's rule: not below two dimensions, and not where the name contains `bn`, `ln`, `bias` or `logit_scale`. What
/// else is left alone is the recipe's choice.
pub fn decays(spec: &ParameterSpec, decay: Decay) -> bool {
    let is_matrix = spec.shape.len() >= 2
        && !["bn", "ln", "bias", "logit_scale"].iter().any(|part| spec.name.contains(part));
    let is_position = spec.name.ends_with("positional_embedding");
    is_matrix
        && match decay {
            Decay::Matrices => true,
            Decay::NoPositions => !is_position,
            Decay::Kernels => !is_position && spec.name != "token_embedding.weight",
        }
}

impl AdamW {
    /// Fresh moments for every trained parameter.
    pub fn new(parameters: &Parameters, config: AdamWConfig) -> AdamW {
        let mut groups = [Group { decays: true, ..Group::default() }, Group::default()];
        let mut towers = Tower::ALL.map(|_| Vec::new());
        for parameter in parameters.iter().filter(|parameter| parameter.spec.trained) {
            let name = &parameter.spec.name;
            groups[usize::from(!decays(&parameter.spec, config.decay))]
                .add(name, &parameter.tensor);
            towers[Tower::of(name) as usize].push(parameter.tensor.shallow_clone());
        }
        AdamW { config, groups, towers, logit_scale: parameters.tensor("logit_scale") }
    }

    /// Forgets the gradients of the last step and frees their memory.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn zero_grad(&self) -> Result<(), torch_ext::Error> {
        self.groups.iter().try_for_each(|group| torch_ext::clear_gradients(&group.parameters))
    }

    /// One step along the gradients that lie in the parameters, then the clamp of the logit scale.
    ///
    /// Returns norms of the gradients, before clipping to `max_norm` where one is given, as a vector of four on the
    /// device: that of all together, then that of each [`Tower`].
    ///
    /// # Errors
    /// What libtorch says; a parameter without a gradient, a tower without a parameter.
    pub fn step(&mut self, lr: f64, max_norm: Option<f64>) -> Result<Tensor, torch_ext::Error> {
        let gradients = self.groups.each_ref().map(Group::gradients);
        let all: Vec<Tensor> = self.towers.iter().flatten().map(Tensor::grad).collect();
        let norms = torch_ext::gradient_norms(&all, &self.towers.each_ref().map(Vec::len))?;
        if let Some(max_norm) = max_norm {
            torch_ext::limit_gradients(&all, &norms.get(0), max_norm)?;
        }
        let AdamWConfig { weight_decay, beta1, beta2, eps, decay: _ } = self.config;
        for (group, gradients) in self.groups.iter().zip(&gradients) {
            let weight_decay = if group.decays { weight_decay } else { 0.0 };
            torch_ext::fused_adamw(
                &group.parameters,
                gradients,
                &group.first_moments,
                &group.second_moments,
                &group.steps,
                AdamWStep { lr, beta1, beta2, eps, weight_decay },
            )?;
        }
        let _no_grad = tch::no_grad_guard();
        let _ = self.logit_scale.clamp_(0.0, MAX_LOGIT_SCALE);
        Ok(norms)
    }

    /// Both moments of every parameter, named `exp_avg.NAME` and `exp_avg_sq.NAME`.
    pub fn moments(&self) -> Vec<(String, Tensor)> {
        let named = |prefix: &str, name: &str, tensor: &Tensor| {
            (format!("{prefix}.{name}"), tensor.shallow_clone())
        };
        self.groups
            .iter()
            .flat_map(|group| {
                group.names.iter().zip(group.first_moments.iter().zip(&group.second_moments))
            })
            .flat_map(|(name, (first, second))| {
                [named("exp_avg", name, first), named("exp_avg_sq", name, second)]
            })
            .collect()
    }

    /// Puts back what [`AdamW::moments`] returned, and tells the bias correction how many steps they have seen.
    ///
    /// # Errors
    /// The name of a moment that is missing, left over or of another shape; nothing is changed then.
    pub fn restore(&mut self, mut moments: NamedMoments, steps: u64) -> Result<(), String> {
        let mut pairs = Vec::new();
        for (name, current) in self.moments() {
            let stored = moments.remove(&name).ok_or_else(|| format!("{name} is missing"))?;
            if stored.size() != current.size() {
                return Err(format!("{name} is {:?}, not {:?}", stored.size(), current.size()));
            }
            pairs.push((current, stored));
        }
        if let Some(name) = moments.keys().next() {
            return Err(format!("{name} is not of this model"));
        }
        self.put(pairs, steps);
        Ok(())
    }

    /// Takes over the moments of another stage's optimizer, which have seen `steps` steps. Those of parameters that have
    /// another shape now, or that were not trained then, begin at zero; returns these parameters' names.
    ///
    /// The bias correction of zeros counts as over: in a parameter that begins anew Adam's first steps are about half as
    /// long as later ones.
    ///
    /// # Errors
    /// None of them fits: the moments are of another model.
    pub fn adopt(&mut self, mut moments: NamedMoments, steps: u64) -> Result<Vec<String>, String> {
        let (mut pairs, mut anew) = (Vec::new(), Vec::new());
        for (name, current) in self.moments() {
            match moments.remove(&name).filter(|stored| stored.size() == current.size()) {
                Some(stored) => pairs.push((current, stored)),
                None => anew.push(name),
            }
        }
        if pairs.is_empty() {
            return Err("none of its moments is of this model".to_owned());
        }
        self.put(pairs, steps);
        let names = anew.iter().filter_map(|name| name.strip_prefix("exp_avg."));
        Ok(names.map(str::to_owned).collect())
    }

    fn put(&mut self, pairs: Vec<(Tensor, Tensor)>, steps: u64) {
        for (mut current, stored) in pairs {
            current.copy_(&stored);
        }
        for tensor in self.groups.iter_mut().flat_map(|group| &mut group.steps) {
            let _ = tensor.fill_(steps as f64);
        }
    }
}

impl Group {
    fn add(&mut self, name: &str, tensor: &Tensor) {
        let zeros = || tensor.detach().zeros_like();
        self.names.push(name.to_owned());
        self.parameters.push(tensor.shallow_clone());
        self.first_moments.push(zeros());
        self.second_moments.push(zeros());
        self.steps.push(step_counter(tensor.device()));
    }

    fn gradients(&self) -> Vec<Tensor> {
        self.parameters.iter().map(Tensor::grad).collect()
    }
}

fn step_counter(device: Device) -> Tensor {
    Tensor::zeros([0i64; 0], (Kind::Float, device))
}

const _: () = assert!((INITIAL_LOGIT_SCALE as f64) < MAX_LOGIT_SCALE);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Initial, Parameters};

    fn spec(name: &str, shape: &[i64], trained: bool) -> ParameterSpec {
        let initial = Initial::Constant(1.0);
        ParameterSpec { name: name.to_owned(), shape: shape.to_vec(), initial, trained }
    }

    const CONFIG: AdamWConfig = AdamWConfig {
        weight_decay: 0.5,
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-6,
        decay: Decay::Matrices,
    };

    fn parameters() -> Parameters {
        let specs = vec![
            spec("logit_scale", &[], true),
            spec("visual.proj", &[2, 2], true),
            spec("visual.positional_embedding", &[2, 2], false),
            spec("ln_final.weight", &[2], true),
        ];
        Parameters::new(specs, 0, Device::Cpu)
    }

    #[test]
    fn the_published_groups() {
        let rules = [Decay::Matrices, Decay::NoPositions, Decay::Kernels];
        for (name, shape, expected) in [
            ("token_embedding.weight", &[5, 2][..], [true, true, false]),
            ("positional_embedding", &[5, 2], [true, false, false]),
            ("visual.positional_embedding", &[5, 2], [true, false, false]),
            ("visual.conv1.weight", &[4, 3, 2, 2], [true; 3]),
            ("visual.proj", &[4, 3], [true; 3]),
            ("text_projection", &[4, 3], [true; 3]),
            ("transformer.resblocks.0.attn.in_proj_weight", &[12, 4], [true; 3]),
            ("visual.class_embedding", &[4], [false; 3]),
            ("transformer.resblocks.0.ln_1.weight", &[4], [false; 3]),
            ("transformer.resblocks.0.mlp.c_fc.bias", &[4], [false; 3]),
            ("logit_scale", &[], [false; 3]),
        ] {
            let spec = spec(name, shape, true);
            assert_eq!(rules.map(|rule| decays(&spec, rule)), expected, "{name}");
        }
    }

    /// A gradient that is zero in the weights shows the decay alone.
    #[test]
    fn decay_touches_its_group_only_and_fixed_tables_nothing() {
        let parameters = parameters();
        let mut optimizer = AdamW::new(&parameters, CONFIG);
        let names = ["visual.proj", "ln_final.weight", "logit_scale"];
        let sum = names.iter().map(|name| parameters.tensor(name).sum(Kind::Float));
        (sum.fold(Tensor::from(0f32), |a, b| a + b) * 0.0).backward();
        let norms = optimizer.step(0.1, None).unwrap();
        assert_eq!(norms.double_value(&[0]), 0.0);
        let value = |name: &str| parameters.tensor(name).reshape([-1]).double_value(&[0]);
        assert!((value("visual.proj") - 0.95).abs() < 1e-6);
        assert_eq!(value("ln_final.weight"), 1.0);
        assert_eq!(value("visual.positional_embedding"), 1.0);
        assert_eq!(optimizer.moments().len(), 6);
    }

    #[test]
    fn the_logit_scale_stays_in_its_range() {
        let parameters = parameters();
        let mut optimizer = AdamW::new(&parameters, CONFIG);
        for (lr, expected) in [(50.0, MAX_LOGIT_SCALE), (-50.0, 0.0)] {
            optimizer.zero_grad().unwrap();
            let sum = parameters.iter().filter(|p| p.spec.trained);
            let sum = sum.map(|p| p.tensor.sum(Kind::Float)).fold(Tensor::from(0f32), |a, b| a + b);
            (-sum).backward();
            let _ = optimizer.step(lr, Some(1.0)).unwrap();
            let scale = parameters.tensor("logit_scale").double_value(&[]);
            assert!((scale - expected).abs() < 1e-6, "{scale}");
        }
    }

    /// Each tower's gradient has its norm, the whole one is clipped, and all are gone before the next forward pass.
    #[test]
    fn norms_by_tower_and_no_gradient_afterwards() {
        let parameters = parameters();
        let mut optimizer = AdamW::new(&parameters, CONFIG);
        let scaled = |name: &str, by: f64| parameters.tensor(name).sum(Kind::Float) * by;
        let sum = scaled("visual.proj", 3.0) + scaled("ln_final.weight", 4.0);
        (sum + scaled("logit_scale", 7.0)).backward();
        let norms: Vec<f64> = optimizer.step(1e-3, Some(1.0)).unwrap().try_into().unwrap();
        let expected = [36.0f64 + 32.0 + 49.0, 36.0, 32.0, 49.0].map(f64::sqrt);
        for (norm, expected) in norms.iter().zip(expected) {
            assert!((norm - expected).abs() < 1e-5, "{norms:?}");
        }
        let clipped = parameters.tensor("visual.proj").grad().norm().double_value(&[]);
        assert!((clipped - 6.0 / expected[0]).abs() < 1e-4, "{clipped}");
        optimizer.zero_grad().unwrap();
        let trained = parameters.iter().filter(|parameter| parameter.spec.trained);
        assert!(trained.into_iter().all(|parameter| !parameter.tensor.grad().defined()));
    }

    #[test]
    fn moments_of_another_stage_are_adopted_where_they_fit() {
        let parameters = parameters();
        let mut optimizer = AdamW::new(&parameters, CONFIG);
        let stored = |name: &str, shape: &[i64]| {
            (name.to_owned(), Tensor::full(shape, 0.5, (Kind::Float, Device::Cpu)))
        };
        let moments = || {
            NamedMoments::from([
                stored("exp_avg.visual.proj", &[2, 2]),
                stored("exp_avg_sq.visual.proj", &[2, 2]),
                stored("exp_avg.ln_final.weight", &[3]),
                stored("exp_avg_sq.ln_final.weight", &[3]),
                stored("exp_avg.left.over", &[3]),
            ])
        };
        let anew = optimizer.adopt(moments(), 7).unwrap();
        assert_eq!(anew, ["logit_scale", "ln_final.weight"].map(str::to_owned).to_vec());
        let now: NamedMoments = optimizer.moments().into_iter().collect();
        assert_eq!(now["exp_avg.visual.proj"].double_value(&[1, 1]), 0.5);
        assert_eq!(now["exp_avg.ln_final.weight"].double_value(&[1]), 0.0);
        assert_eq!(optimizer.groups[0].steps[0].double_value(&[]), 7.0);
        assert!(optimizer.adopt(NamedMoments::from([stored("exp_avg.x", &[1])]), 7).is_err());
    }
}
