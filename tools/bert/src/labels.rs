//! A model's labels as Penn tags.

use std::collections::BTreeMap;

use clipa_schemas::penn::{PennTag, WordClass};

use clipa_text::tagger::corpus::penn_tag;

/// Labels of a configuration by their numbers.
pub(super) type LabelNames = BTreeMap<i64, String>;

/// The tag of each label.
pub(super) struct Labels(Vec<PennTag>);

impl Labels {
    /// From the names of `id2label`, which are Penn's, the English Web Treebank's or Universal Dependencies'.
    ///
    /// # Errors
    /// Numbers that do not run from 0, or no label that is a noun: then the model does something else.
    pub(super) fn new(names: &LabelNames) -> Result<Labels, String> {
        if let Some(missing) = (0..).zip(names.keys()).find(|(expected, id)| expected != *id) {
            return Err(format!("id2label has no label {}", missing.0));
        }
        let tag = |name: &String| penn_tag(name).or_else(|| universal(name));
        let tags: Vec<PennTag> =
            names.values().map(|name| tag(name).unwrap_or(PennTag::UNKNOWN)).collect();
        if tags.iter().any(|tag| tag.class() == WordClass::Noun) {
            return Ok(Labels(tags));
        }
        let some: Vec<&str> = names.values().take(5).map(String::as_str).collect();
        Err(format!(
            "no label of id2label is a noun ({}, ...): this model does not tag parts of speech",
            some.join(", ")
        ))
    }

    /// The tag of a label's number.
    pub(super) fn tag(&self, label: i64) -> PennTag {
        let tag = usize::try_from(label).ok().and_then(|label| self.0.get(label));
        tag.copied().unwrap_or(PennTag::UNKNOWN)
    }
}

/// The nearest Penn tag of a part of speech of Universal Dependencies, so that models of other languages serve too.
fn universal(name: &str) -> Option<PennTag> {
    PennTag::from_name(match name {
        "NOUN" => "NN",
        "PROPN" => "NNP",
        "ADJ" => "JJ",
        "VERB" => "VB",
        "AUX" => "MD",
        "ADV" => "RB",
        "DET" => "DT",
        "PRON" => "PRP",
        "ADP" | "SCONJ" => "IN",
        "CCONJ" | "CONJ" => "CC",
        "NUM" => "CD",
        "PART" => "RP",
        "INTJ" => "UH",
        "PUNCT" => ".",
        "X" => "FW",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[(i64, &str)]) -> Result<Labels, String> {
        Labels::new(&names.iter().map(|&(id, name)| (id, name.to_owned())).collect())
    }

    #[test]
    fn labels_of_three_tag_sets_become_penn_tags() {
        let names = [(0, "O"), (1, "NOUN"), (2, "-LRB-"), (3, "VBZ"), (4, "ADJ")];
        let labels = labels(&names).unwrap_or_else(|error| panic!("{error}"));
        let tags: Vec<&str> = (0..6).map(|label| labels.tag(label).name()).collect();
        assert_eq!(tags, ["", "NN", "(", "VBZ", "JJ", ""]);
    }

    #[test]
    fn labels_without_a_noun_or_with_a_gap_are_refused() {
        let error = |names| labels(names).err().unwrap_or_default();
        assert!(error(&[(0, "B-PER"), (1, "O")]).contains("B-PER"));
        assert!(error(&[(0, "NN"), (2, "VB")]).contains("no label 1"));
        assert!(error(&[]).contains("no label"));
    }
}
