//! What an evaluation found: for people, and under the names that CLIP_benchmark and DataComp print.

use std::fmt;

use clipa_talk::figures::{count, counted};
use serde_json::{Map, Value, json};

use super::{ClassReport, Hits, Lengths, RetrievalReport, ZeroShotReport};

/// Classes below which "among the first five" says nothing; CLIP_benchmark prints no figure there either.
const CLASSES_FOR_TOP5: usize = 5;

/// What an evaluation of one data set found.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Of a classification set.
    Classification(ZeroShotReport),
    /// Of pairs.
    Retrieval(RetrievalReport),
}

type Figures = Map<String, Value>;

fn figures<const N: usize>(fields: [(&str, Value); N]) -> Figures {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

impl Report {
    /// How the model read the set.
    pub fn lengths(&self) -> Lengths {
        match self {
            Report::Classification(report) => report.lengths,
            Report::Retrieval(report) => report.lengths,
        }
    }

    /// Images that were looked at.
    pub fn images(&self) -> u64 {
        match self {
            Report::Classification(report) => report.all.samples,
            Report::Retrieval(report) => report.images,
        }
    }

    /// The figures by CLIP_benchmark's names, and `main_metric`, which DataComp averages over its sets: `acc1`, or
    /// `mean_recall@1` of retrieval. All lie in `[0, 1]`.
    pub fn metrics(&self) -> Vec<(&'static str, f64)> {
        match self {
            Report::Classification(report) => report.metrics(),
            Report::Retrieval(report) => report.metrics(),
        }
    }

    /// The figures for another program, class by class where `per_class` asks for it.
    pub fn to_json(&self, per_class: bool) -> Value {
        let lengths = self.lengths();
        let mut value = figures([
            ("image_size", json!(lengths.image_size)),
            ("context_length", json!(lengths.context_length)),
            ("text_reduction", json!(lengths.text_reduction)),
        ]);
        value.extend(match self {
            Report::Classification(report) => report.figures(per_class),
            Report::Retrieval(report) => report.figures(),
        });
        let metrics: Figures = self
            .metrics()
            .into_iter()
            .map(|(name, metric)| (name.to_owned(), json!(metric)))
            .collect();
        value.insert("metrics".to_owned(), metrics.into());
        value.into()
    }
}

impl Hits {
    fn figures(&self) -> Figures {
        figures([
            ("samples", json!(self.samples)),
            ("top1", json!(self.top1_accuracy())),
            ("top1_error", json!(self.top1_error())),
            ("top5", json!(self.top5_accuracy())),
        ])
    }
}

impl ZeroShotReport {
    fn metrics(&self) -> Vec<(&'static str, f64)> {
        let top1 = self.all.top1_accuracy();
        let mut metrics = vec![("acc1", top1)];
        if self.classes.len() >= CLASSES_FOR_TOP5 {
            metrics.push(("acc5", self.all.top5_accuracy()));
        }
        metrics.push(("mean_per_class_recall", self.mean_per_class_recall()));
        metrics.push(("main_metric", top1));
        metrics
    }

    fn figures(&self, per_class: bool) -> Figures {
        let mut value = figures([
            ("prompts", json!(self.prompts)),
            ("classes", json!(self.classes.len())),
            ("chance", json!(self.chance)),
            ("held_out", json!(self.held_out.map(|hits| Value::Object(hits.figures())))),
        ]);
        value.extend(self.all.figures());
        value.insert("mean_per_class_recall".to_owned(), json!(self.mean_per_class_recall()));
        if per_class {
            let classes = self.classes.iter().map(|class| {
                let mut figures = identity_of(class);
                figures.extend(class.hits.figures());
                Value::Object(figures)
            });
            value.insert("per_class".to_owned(), classes.collect());
        }
        value
    }
}

fn identity_of(class: &ClassReport) -> Figures {
    figures([
        ("class", json!(class.class)),
        ("name", json!(class.name)),
        ("held_out", json!(class.held_out)),
    ])
}

impl RetrievalReport {
    fn metrics(&self) -> Vec<(&'static str, f64)> {
        let [image, text] = [self.image_recall(), self.text_recall()];
        let mean = (image[0] + text[0]) / 2.0;
        vec![
            ("image_retrieval_recall@1", image[0]),
            ("text_retrieval_recall@1", text[0]),
            ("image_retrieval_recall@5", image[1]),
            ("text_retrieval_recall@5", text[1]),
            ("image_retrieval_recall@10", image[2]),
            ("text_retrieval_recall@10", text[2]),
            ("mean_recall@1", mean),
            ("main_metric", mean),
        ]
    }

    fn figures(&self) -> Figures {
        figures([("images", json!(self.images)), ("captions", json!(self.captions))])
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Classification(report) => report.fmt(f),
            Report::Retrieval(report) => report.fmt(f),
        }
    }
}

impl fmt::Display for ZeroShotReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lengths { image_size, context_length, text_reduction } = self.lengths;
        let prompts = counted(self.prompts as u64, "prompt");
        writeln!(
            f,
            "zero-shot at {image_size} px and {context_length} text tokens, {prompts} ({text_reduction})"
        )?;
        writeln!(f, "  all       {}", self.all)?;
        let mean = 100.0 * self.mean_per_class_recall();
        writeln!(f, "  classes   top-1 {mean:.1} %  (mean per class)")?;
        if let Some(held_out) = self.held_out {
            writeln!(f, "  held out  {held_out}")?;
        }
        let classes = count(self.classes.len() as u64);
        writeln!(f, "  chance    top-1 {:.1} %  ({classes} classes)", 100.0 * self.chance)
    }
}

impl fmt::Display for RetrievalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lengths { image_size, context_length, text_reduction } = self.lengths;
        let (images, captions) = (counted(self.images, "image"), counted(self.captions, "caption"));
        writeln!(
            f,
            "retrieval at {image_size} px and {context_length} text tokens, {images}, {captions} ({text_reduction})"
        )?;
        let line = |[one, five, ten]: [f64; 3]| {
            format!(
                "R@1 {:.1} %  R@5 {:.1} %  R@10 {:.1} %",
                100.0 * one,
                100.0 * five,
                100.0 * ten
            )
        };
        writeln!(f, "  text to image  {}", line(self.image_recall()))?;
        writeln!(f, "  image to text  {}", line(self.text_recall()))
    }
}
