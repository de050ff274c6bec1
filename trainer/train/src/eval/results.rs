//! Metrics by name.

use std::collections::BTreeMap;

/// What an evaluation found: each metric under `SET/METRIC` (`imagenet/acc1`), or `SET@full/METRIC` at the lengths of a
/// recipe's last stage while an earlier one trains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    metrics: BTreeMap<String, f64>,
}

impl Results {
    /// Sets a metric.
    pub fn insert(&mut self, name: impl Into<String>, value: f64) {
        self.metrics.insert(name.into(), value);
    }

    /// The metric of this name; a part that only one name ends with, as in `acc1`, is enough.
    pub fn get(&self, name: &str) -> Option<f64> {
        if let Some(value) = self.metrics.get(name) {
            return Some(*value);
        }
        let end = format!("/{name}");
        let mut found = self.metrics.iter().filter(|(whole, _)| whole.ends_with(&end));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(*value),
            _ => None,
        }
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.metrics.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_end_where_only_one_has_it() {
        let mut results = Results::default();
        results.insert("shapes/acc1", 0.25);
        assert_eq!((results.get("acc1"), results.get("cc1")), (Some(0.25), None));
        results.insert("shapes@full/acc1", 0.5);
        assert_eq!((results.get("acc1"), results.get("shapes@full/acc1")), (None, Some(0.5)));
    }
}
