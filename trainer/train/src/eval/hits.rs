//! Counts of what was hit.

use super::Lengths;

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
    /// How images and prompts were read.
    pub lengths: Lengths,
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

impl Hits {
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
    /// The mean of the classes' top-1 accuracies, each class counting the same; of classes that have a sample
    /// (scikit-learn's `balanced_accuracy_score`, which CLIP_benchmark prints).
    pub fn mean_per_class_recall(&self) -> f64 {
        let seen = || self.classes.iter().filter(|class| class.hits.samples > 0);
        let sum: f64 = seen().map(|class| class.hits.top1_accuracy()).sum();
        sum / seen().count().max(1) as f64
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

#[cfg(test)]
mod tests {
    use clipa_schemas::reduction::text::TextReduction;

    use super::*;

    /// scikit-learn 1.7: balanced_accuracy_score([0,0,0,0,1,2,2], [0,0,0,1,1,0,2]) = (3/4 + 1 + 1/2) / 3.
    #[test]
    fn classes_count_the_same_and_those_without_a_sample_do_not() {
        let class = |class, samples, top1| ClassReport {
            class,
            name: String::new(),
            held_out: None,
            hits: Hits { samples, top1, top5: top1 },
        };
        let lengths =
            Lengths { image_size: 32, context_length: 8, text_reduction: TextReduction::Truncate };
        let mut report = ZeroShotReport {
            lengths,
            prompts: 4,
            chance: 0.25,
            all: Hits::default(),
            held_out: None,
            classes: vec![class(0, 4, 3), class(1, 1, 1), class(2, 2, 1), class(3, 0, 0)],
        };
        report.sum_up();
        assert_eq!(report.mean_per_class_recall(), 0.75);
        assert_eq!(report.all.top1_accuracy(), 5.0 / 7.0);
    }
}
