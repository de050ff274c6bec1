//! Which of an image's captions a stage reads, where the data set has several.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// The choice of a caption.
///
/// ```
/// use clipa_recipe::Captions;
/// #[derive(serde::Deserialize)]
/// struct Stage { captions: Captions }
/// let read = |text: &str| toml::from_str::<Stage>(text).map(|stage| stage.captions);
/// assert_eq!(read("captions = 'random'").unwrap(), Captions::Random);
/// let weights = [("json:alt".to_owned(), 0.3), ("txt".to_owned(), 0.7)];
/// let weighted = read("captions = { txt = 0.7, 'json:alt' = 0.3 }").unwrap();
/// assert_eq!(weighted, Captions::BySource(weights.into()));
/// assert!(read("captions = 'all'").is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Captions {
    /// The first one, always.
    #[default]
    First,
    /// Any of them with equal probability, another one in each epoch.
    Random,
    /// One of a source that is drawn with these weights, among the sources that the image has: `txt`, `json:caption`,
    /// as the column `caption_sources` names them. An image with none of them shows its first caption.
    BySource(BTreeMap<String, f64>),
}

impl Captions {
    /// Is it the default?
    pub(super) fn is_first(&self) -> bool {
        *self == Captions::First
    }

    /// What cannot work: the value and why.
    pub(super) fn problem(&self) -> Option<(String, &'static str)> {
        let Captions::BySource(weights) = self else { return None };
        let is_weight = |weight: f64| weight.is_finite() && weight >= 0.0;
        if let Some((source, weight)) = weights.iter().find(|(_, weight)| !is_weight(**weight)) {
            return Some((format!("{{ {source:?} = {weight} }}"), "a weight must be 0 or above"));
        }
        let sum: f64 = weights.values().sum();
        let why = "the weights of all sources together must be above 0";
        (sum <= 0.0 || !sum.is_finite()).then(|| (self.to_string(), why))
    }
}

impl fmt::Display for Captions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Captions::First => f.write_str("first"),
            Captions::Random => f.write_str("random"),
            Captions::BySource(weights) => {
                let weights: Vec<String> = weights
                    .iter()
                    .map(|(source, weight)| format!("{source:?} = {weight}"))
                    .collect();
                write!(f, "{{ {} }}", weights.join(", "))
            }
        }
    }
}

impl Serialize for Captions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Captions::BySource(weights) => weights.serialize(serializer),
            name => serializer.collect_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Captions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Captions, D::Error> {
        deserializer.deserialize_any(CaptionsVisitor)
    }
}

struct CaptionsVisitor;

impl<'de> Visitor<'de> for CaptionsVisitor {
    type Value = Captions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`first`, `random`, or a table of weights by source such as { txt = 0.7, \"json:alt\" = 0.3 }")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Captions, E> {
        match name {
            "first" => Ok(Captions::First),
            "random" => Ok(Captions::Random),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(name), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Captions, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(table)).map(Captions::BySource)
    }
}
