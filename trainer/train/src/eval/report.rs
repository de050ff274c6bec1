//! What a zero-shot evaluation found.

use std::fmt;

use clipa_schemas::reduction::text::TextReduction;
use clipa_talk::figures::{count, counted};
use serde_json::{Value, json};

/// Top-1 and top-5 accuracy over some samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Samples.
    pub samples: u64,
    /// Samples whose class has the greatest logit.
    pub top1: u64,
    /// Samples whose class is among the five greatest.
    pub top5: u64,
}

/// Accuracy of one class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassReport {
    /// Number of the class.
    pub class: usize,
    /// Its name.
    pub name: String,
    /// Whether its combination was held out of training, where the set says so.
    pub held_out: Option<bool>,
    /// What was hit.
    pub hits: Hits,
}

/// Accuracy over a set.
#[derive(Clone, Debug, PartialEq)]
pub struct ZeroShotReport {
    /// Side of the images in pixels.
    pub image_size: i64,
    /// Tokens of the prompts.
    pub context_length: i64,
    /// How prompts that are longer were reduced.
    pub text_reduction: TextReduction,
    /// Prompts of all classes together.
    pub prompts: usize,
    /// Top-1 accuracy of guessing: one over the number of classes.
    pub chance: f64,
    /// Over all samples.
    pub all: Hits,
    /// Over classes that were held out of training, where the set names any.
    pub held_out: Option<Hits>,
    /// Class by class.
    pub classes: Vec<ClassReport>,
}

fn identity_of(class: &ClassReport) -> Figures {
    let fields = [
        ("class", json!(class.class)),
        ("name", json!(class.name)),
        ("held_out", json!(class.held_out)),
    ];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

type Figures = serde_json::Map<String, Value>;

impl Hits {
    fn figures(&self) -> Figures {
        let fields = [
            ("samples", json!(self.samples)),
            ("top1", json!(self.top1_accuracy())),
            ("top1_error", json!(self.top1_error())),
            ("top5", json!(self.top5_accuracy())),
        ];
        fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Counts one sample whose class came at `rank` (0 is the best).
    pub(super) fn count(&mut self, rank: Option<usize>) {
        self.samples += 1;
        self.top1 += u64::from(rank == Some(0));
        self.top5 += u64::from(rank.is_some_and(|rank| rank < 5));
    }

    fn add(&mut self, other: Hits) {
        self.samples += other.samples;
        self.top1 += other.top1;
        self.top5 += other.top5;
    }

    /// Part of the samples with the right class first, in `[0, 1]`.
    pub fn top1_accuracy(&self) -> f64 {
        self.top1 as f64 / self.samples.max(1) as f64
    }

    /// Part of the samples with the right class among the first five.
    pub fn top5_accuracy(&self) -> f64 {
        self.top5 as f64 / self.samples.max(1) as f64
    }

    /// The standard error of the top-1 accuracy, from the binomial distribution.
    pub fn top1_error(&self) -> f64 {
        let accuracy = self.top1_accuracy();
        (accuracy * (1.0 - accuracy) / self.samples.max(1) as f64).sqrt()
    }
}

impl ZeroShotReport {
    /// The figures for another program; accuracies between 0 and 1, class by class where `per_class` asks for it.
    pub fn to_json(&self, per_class: bool) -> Value {
        let mut value = json!({
            "image_size": self.image_size,
            "context_length": self.context_length,
            "text_reduction": self.text_reduction,
            "prompts": self.prompts,
            "classes": self.classes.len(),
            "chance": self.chance,
            "held_out": self.held_out.map(|hits| Value::Object(hits.figures())),
        });
        if let Some(figures) = value.as_object_mut() {
            figures.extend(self.all.figures());
        }
        if per_class {
            let classes = self.classes.iter().map(|class| {
                let mut figures = identity_of(class);
                figures.extend(class.hits.figures());
                Value::Object(figures)
            });
            value["per_class"] = classes.collect();
        }
        value
    }

    pub(super) fn sum_up(&mut self) {
        let sum = |classes: &mut dyn Iterator<Item = &ClassReport>| {
            classes.fold(None, |sum: Option<Hits>, class| {
                let mut sum = sum.unwrap_or_default();
                sum.add(class.hits);
                Some(sum)
            })
        };
        self.all = sum(&mut self.classes.iter()).unwrap_or_default();
        self.held_out = sum(&mut self.classes.iter().filter(|class| class.held_out == Some(true)));
    }
}

/// Accuracies have one decimal, as papers write them.
impl fmt::Display for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "top-1 {:.1} % ± {:.1}  top-5 {:.1} %  ({} samples)",
            100.0 * self.top1_accuracy(),
            100.0 * self.top1_error(),
            100.0 * self.top5_accuracy(),
            count(self.samples),
        )
    }
}

impl fmt::Display for ZeroShotReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, length) = (self.image_size, self.context_length);
        let (reduction, prompts) = (self.text_reduction, counted(self.prompts as u64, "prompt"));
        writeln!(f, "zero-shot at {size} px and {length} text tokens, {prompts} ({reduction})")?;
        writeln!(f, "  all       {}", self.all)?;
        if let Some(held_out) = self.held_out {
            writeln!(f, "  held out  {held_out}")?;
        }
        let classes = count(self.classes.len() as u64);
        writeln!(f, "  chance    top-1 {:.1} %  ({classes} classes)", 100.0 * self.chance)
    }
}
