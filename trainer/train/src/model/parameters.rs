//! The tensors of a model, by name.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use tch::{Device, Tensor};

use super::specification::ParameterSpec;

/// A parameter: f32, a leaf of the graph.
#[derive(Debug)]
pub struct Parameter {
    /// Name, shape, first value, trained or not.
    pub spec: ParameterSpec,
    /// Its values; every handle to it shares them.
    pub tensor: Tensor,
}

/// All parameters of a model, in the order of [`super::specify`].
#[derive(Debug)]
pub struct Parameters {
    list: Vec<Parameter>,
    places: HashMap<String, usize>,
}

impl Parameters {
    /// Allocates and fills every parameter, on all cores: a large model draws half a billion numbers.
    pub fn new(specification: Vec<ParameterSpec>, seed: u64, device: Device) -> Parameters {
        let places = specification
            .iter()
            .enumerate()
            .map(|(place, spec)| (spec.name.clone(), place))
            .collect();
        let values = first_values(&specification, seed);
        let list = specification
            .into_iter()
            .zip(values)
            .map(|(spec, values)| {
                let tensor = values.to_device(device).set_requires_grad(spec.trained);
                Parameter { spec, tensor }
            })
            .collect();
        Parameters { list, places }
    }

    /// The same tensors for another specification, each changed by `adapt`; handles to those that it returns unchanged
    /// share their numbers.
    ///
    /// # Panics
    /// A specification with other names or shapes: callers change lengths only, and `adapt` follows them.
    pub(super) fn adapted(
        &self,
        specification: Vec<ParameterSpec>,
        adapt: impl Fn(&ParameterSpec, Tensor) -> Tensor,
    ) -> Parameters {
        let _no_grad = tch::no_grad_guard();
        let list = specification.into_iter().map(|spec| {
            let tensor = adapt(&spec, self.tensor(&spec.name));
            assert_eq!(tensor.size(), spec.shape, "shape of {}", spec.name);
            Parameter { spec, tensor }
        });
        Parameters { list: list.collect(), places: self.places.clone() }
    }

    /// Another handle to the tensor of this name.
    ///
    /// # Panics
    /// A name that the specification does not have: a mistake in the model's code.
    pub fn tensor(&self, name: &str) -> Tensor {
        let place = self.places.get(name);
        let place = place.unwrap_or_else(|| panic!("the model has no parameter named {name}"));
        self.list[*place].tensor.shallow_clone()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.list.iter()
    }

    /// Numbers in all of them together.
    pub fn count(&self) -> i64 {
        self.list.iter().map(|parameter| parameter.tensor.numel() as i64).sum()
    }

    /// Copies `values` into the parameter of this name; shapes must be equal.
    ///
    /// # Panics
    /// An unknown name or another shape: callers compare both first, with messages for people.
    pub fn assign(&self, name: &str, values: &Tensor) {
        let mut tensor = self.tensor(name);
        assert_eq!(tensor.size(), values.size(), "shape of {name}");
        let _no_grad = tch::no_grad_guard();
        tensor.copy_(values);
    }
}

/// First values of every parameter, in order. Which thread draws them changes nothing: each is a function of its name.
fn first_values(specification: &[ParameterSpec], seed: u64) -> Vec<Tensor> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let draw = || {
        let mut drawn = Vec::new();
        while let Some((place, spec)) = {
            let place = next.fetch_add(1, Ordering::Relaxed);
            specification.get(place).map(|spec| (place, spec))
        } {
            drawn.push((place, spec.initial.tensor(seed, &spec.name, &spec.shape)));
        }
        drawn
    };
    let mut drawn: Vec<(usize, Tensor)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(draw)).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().flat_map(join).collect()
    });
    drawn.sort_unstable_by_key(|&(place, _)| place);
    drawn.into_iter().map(|(_, tensor)| tensor).collect()
}
