//! The optimizer's moments in a training checkpoint: open_clip numbers its parameters, and names are found by their order.

use std::{collections::HashMap, path::Path};

use clipa_recipe::Decay;
use clipa_schemas::file;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{
    error::ExchangeError,
    opened::{Named, Opened},
    pickle::{Id, Pickled, StoredTensor},
    torch_file::{TorchFile, scalar},
};
use crate::{
    checkpoint::{self, OPTIMIZER},
    model::{Initial, ParameterSpec},
    optimizer::{NamedMoments, decays},
};

/// How many steps the moments beside imported weights have seen.
pub(super) const MOMENTS: &str = "moments.json";

/// The content of [`MOMENTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    steps: u64,
}

/// Both moments of every trained parameter, `exp_avg.NAME` and `exp_avg_sq.NAME`, and the steps that they have seen.
#[derive(Debug)]
pub struct Moments {
    /// The moments.
    pub tensors: NamedMoments,
    /// Steps of the optimizer.
    pub steps: u64,
}

impl Moments {
    /// Reads what an import wrote into its folder; `None` where it found none.
    ///
    /// # Errors
    /// A damaged file.
    pub fn read(folder: &Path) -> Result<Option<Moments>, ExchangeError> {
        let path = folder.join(MOMENTS);
        if !path.is_file() {
            return Ok(None);
        }
        let Seen { steps } = file::read_json(&path)?;
        let tensors = checkpoint::tensors::read(&folder.join(OPTIMIZER))?;
        Ok(Some(Moments { tensors, steps }))
    }

    /// Writes them into a folder.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn write(&self, folder: &Path) -> Result<(), ExchangeError> {
        let tensors =
            self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
        checkpoint::tensors::write(&folder.join(OPTIMIZER), tensors.collect())?;
        file::write_json(&folder.join(MOMENTS), &Seen { steps: self.steps })?;
        Ok(())
    }
}

/// What is known of a checkpoint's moments.
#[derive(Debug)]
pub(super) enum Found {
    /// It has none.
    Nothing,
    /// It has some, and they cannot be matched with the parameters; the reason.
    Unmatched(String),
    /// All of them.
    Moments(Moments),
}

/// Finds and reads the moments of a training checkpoint.
///
/// # Errors
/// A damaged file.
pub(super) fn of(opened: &mut Opened) -> Result<Found, ExchangeError> {
    let named = opened.named().to_vec();
    let Some(file) = opened.torch() else { return Ok(Found::Nothing) };
    let Some(optimizer) = file.pickled().get(file.pickled().root(), "optimizer") else {
        return Ok(Found::Nothing);
    };
    if file.pickled().items(optimizer).is_none_or(<[_]>::is_empty) {
        return Ok(Found::Nothing);
    }
    match places(file.pickled(), optimizer, &named) {
        Ok(places) => read(file, places),
        Err(reason) => Ok(Found::Unmatched(reason)),
    }
}

/// A parameter's name, its step, and both moments.
struct Place {
    name: String,
    step: Id,
    moments: [StoredTensor; 2],
}

/// open_clip has two groups, what does not decay and what does, each in the model's order; PyTorch numbers through both.
fn places(pickled: &Pickled, optimizer: Id, named: &[Named]) -> Result<Vec<Place>, String> {
    let missing = |what: &str| format!("its optimizer has no {what}");
    let state = pickled.get(optimizer, "state").ok_or_else(|| missing("`state`"))?;
    let groups = pickled.get(optimizer, "param_groups").ok_or_else(|| missing("`param_groups`"))?;
    let groups = pickled.sequence(groups).ok_or_else(|| missing("list of groups"))?;
    let numbers = groups.iter().map(|&group| -> Result<Vec<i64>, String> {
        let numbers = pickled.get(group, "params").and_then(|params| pickled.sequence(params));
        let numbers = numbers.ok_or_else(|| missing("`params` in a group"))?;
        numbers
            .iter()
            .map(|&id| pickled.int(id).ok_or_else(|| missing("numbers in `params`")))
            .collect()
    });
    let numbers: Vec<Vec<i64>> = numbers.collect::<Result<_, String>>()?;
    let by_number: HashMap<i64, Id> = pickled
        .items(state)
        .unwrap_or_default()
        .iter()
        .filter_map(|&(number, value)| Some((pickled.int(number)?, value)))
        .collect();
    let ordered = ordered(named, &numbers)?;
    let numbered = ordered.into_iter().zip(numbers.into_iter().flatten());
    numbered
        .map(|(named, number)| {
            let name = &named.name;
            let of = by_number.get(&number);
            let of = *of.ok_or_else(|| format!("its optimizer has no moments for {name}"))?;
            let moment = |key: &str| {
                let tensor = pickled.get(of, key).and_then(|id| pickled.tensor(id));
                let tensor = tensor.ok_or_else(|| {
                    format!("its optimizer has no {key} for {name}: it is not Adam")
                })?;
                if tensor.size != named.shape {
                    return Err(format!(
                        "its optimizer's {number}. parameter is {:?}, and {name} would be {:?}",
                        tensor.size, named.shape
                    ));
                }
                Ok(tensor.clone())
            };
            let step = pickled.get(of, "step").ok_or_else(|| format!("no step for {name}"))?;
            Ok(Place {
                name: name.clone(),
                step,
                moments: [moment("exp_avg")?, moment("exp_avg_sq")?],
            })
        })
        .collect()
}

/// The parameters in the order of the optimizer's numbers.
fn ordered<'n>(named: &'n [Named], groups: &[Vec<i64>]) -> Result<Vec<&'n Named>, String> {
    let count: usize = groups.iter().map(Vec::len).sum();
    // A fixed table of positions is stored and not optimized.
    let is_table = |named: &&Named| named.name == "visual.positional_embedding";
    let without = named.len() - named.iter().filter(is_table).count();
    let trained: Vec<&Named> = match count {
        _ if count == named.len() => named.iter().collect(),
        _ if count == without => named.iter().filter(|named| !is_table(named)).collect(),
        _ => {
            return Err(format!("its optimizer has {count} parameters, the model {}", named.len()));
        }
    };
    match groups {
        [_] => Ok(trained),
        [first, _] => {
            let (rest, still): (Vec<&Named>, Vec<&Named>) =
                trained.into_iter().partition(|named| decays(&spec(named), Decay::Matrices));
            if still.len() != first.len() {
                return Err(format!(
                    "its optimizer's first group has {} parameters, open_clip's rule {}",
                    first.len(),
                    still.len()
                ));
            }
            Ok([still, rest].concat())
        }
        _ => Err(format!("its optimizer has {} groups, open_clip's has two", groups.len())),
    }
}

fn spec(named: &Named) -> ParameterSpec {
    ParameterSpec {
        name: named.name.clone(),
        shape: named.shape.clone(),
        initial: Initial::Constant(0.0),
        trained: true,
    }
}

fn read(file: &mut TorchFile, places: Vec<Place>) -> Result<Found, ExchangeError> {
    let (mut tensors, mut steps) = (NamedMoments::new(), None);
    for Place { name, step, moments } in places {
        let step = scalar(file, step)?.filter(|step| *step >= 0.0 && step.fract() == 0.0);
        let Some(step) = step else {
            return Ok(Found::Unmatched(format!("the step of {name} is no whole number")));
        };
        if steps.is_some_and(|steps| steps != step as u64) {
            return Ok(Found::Unmatched(
                "its parameters have seen different numbers of steps".to_owned(),
            ));
        }
        steps = Some(step as u64);
        let [first, second] = &moments;
        for (what, tensor) in [("exp_avg", first), ("exp_avg_sq", second)] {
            let read: Tensor = file.read(&name, tensor)?;
            let read = if is_scalar(&name) { read.reshape([0i64; 0]) } else { read };
            tensors.insert(format!("{what}.{name}"), read);
        }
    }
    match steps {
        Some(steps) => Ok(Found::Moments(Moments { tensors, steps })),
        None => Ok(Found::Nothing),
    }
}

/// open_clip keeps them as `[]` or `[1]`, ours are `[]`.
fn is_scalar(name: &str) -> bool {
    matches!(name, "logit_scale" | "logit_bias")
}
