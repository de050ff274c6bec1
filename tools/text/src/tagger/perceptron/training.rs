//! Training: the averaged perceptron in integers, so that the same corpus and seed produce the same bytes on every machine.

use std::collections::BTreeMap;

use clipa_schemas::random::Random;
use rustc_hash::FxHashMap;

use super::features::{CaptionFeatures, FeatureHashes};
use super::file;
use super::lexicon::{Lexicon, TAGS};
use super::variants::vary;
use super::weights::{FeatureWeights, WEIGHTS_MAX, Weight, best};
use crate::tagger::sentence::Sentence;
use crate::words::Words;

/// How to train.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    /// How often each of the `LEARNERS` sees all sentences.
    pub rounds: u32,
    /// Decides the order of the sentences and how they are varied.
    pub seed: u64,
}

impl Default for Training {
    fn default() -> Self {
        Training { rounds: 10, seed: 1 }
    }
}

/// The accuracy of one round, on the varied sentences of that round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// From 1.
    pub number: u32,
    /// How many there are in all.
    pub of: u32,
    /// Words that were predicted (the others have only one tag).
    pub decided: u64,
    /// How many of them were predicted correctly, before the update.
    pub right: u64,
}

/// How many taggers are trained, each on another order and other variants; the result is the mean of their weights.
const LEARNERS: u32 = 3;
/// Fewest updates of a feature that is kept. Most features occur in one mistake only; without them the tagger is more
/// accurate and a third smaller (Goldberg and Elhadad 2011, "Learning Sparser Perceptron Models").
const UPDATES_MIN: u32 = 3;
/// Fractions of a weight in which the learners' weights are summed.
const PARTS_PER_UNIT: i64 = 1 << 16;
/// Steps of a weight: an average of 1 is stored as this.
const STEPS_PER_UNIT: i64 = 6;
/// Smallest stored magnitude; smaller weights are dropped.
const STEPS_MIN: i64 = 2;
/// Largest stored magnitude.
const STEPS_MAX: i64 = i8::MAX as i64;

/// Trains a tagger and returns its file of weights. Calls `after_round` after each round.
pub fn train(
    sentences: &[Sentence],
    training: Training,
    mut after_round: impl FnMut(Round),
) -> Vec<u8> {
    let lexicon = Lexicon::from_sentences(sentences);
    let mut random = Random::new(training.seed);
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    let mut sums = Sums::default();
    for learner in 0..LEARNERS {
        let mut learning = Learner::default();
        for number in 1..=training.rounds {
            random.shuffle(&mut order);
            let number = learner * training.rounds + number;
            let mut round = Round { number, of: LEARNERS * training.rounds, decided: 0, right: 0 };
            for sentence in varied(sentences, &order, &mut random) {
                learning.learn(&sentence, &lexicon, &mut round);
            }
            after_round(round);
        }
        learning.add_to(&mut sums);
    }
    file::write(&lexicon, &weights(&sums))
}

/// The sentences in this order, each varied; some are joined in pairs, because a caption of several sentences is one
/// list of words.
fn varied(sentences: &[Sentence], order: &[usize], random: &mut Random) -> Vec<Sentence> {
    let mut all: Vec<Sentence> = Vec::with_capacity(order.len());
    for &index in order {
        let sentence = vary(&sentences[index], random);
        match all.last_mut() {
            Some(last) if random.below(10) == 0 => {
                last.words.extend(sentence.words);
                last.tags.extend(sentence.tags);
            }
            _ => all.push(sentence),
        }
    }
    all
}

/// Weights by feature and tag, in [`PARTS_PER_UNIT`], of all learners so far.
type Sums = FxHashMap<u32, BTreeMap<u8, i64>>;

/// The mean of the learners' weights in [`STEPS_PER_UNIT`], by the hash of the feature.
fn weights(sums: &Sums) -> Vec<FeatureWeights> {
    let steps =
        |sum: i64| rounded_quotient(sum * STEPS_PER_UNIT, PARTS_PER_UNIT * i64::from(LEARNERS));
    let mut features: Vec<FeatureWeights> = Vec::new();
    for (&hash, tags) in sums {
        let kept = tags.iter().map(|(&tag, &sum)| (tag, steps(sum)));
        let weights: Vec<Weight> = kept
            .filter(|(_, steps)| steps.abs() >= STEPS_MIN)
            .map(|(tag, steps)| Weight { tag, value: steps.clamp(-STEPS_MAX, STEPS_MAX) as i8 })
            .collect();
        if !weights.is_empty() {
            features.push((hash, weights));
        }
    }
    features.sort_unstable_by_key(|&(hash, _)| hash);
    let entries: usize = features.iter().map(|(_, weights)| weights.len()).sum();
    assert!(
        entries < WEIGHTS_MAX,
        "a corpus with {entries} weights is too large for the file format"
    );
    features
}

/// Rounded half away from zero; the divisor is positive.
fn rounded_quotient(number: i64, divisor: i64) -> i64 {
    (2 * number + number.signum() * divisor) / (2 * divisor)
}

/// One weight during training.
#[derive(Clone, Copy)]
struct Parameter {
    tag: u8,
    weight: i32,
    /// Sum of the weight over all decisions until `since`.
    total: i64,
    since: u32,
}

/// The weights of one feature during training.
#[derive(Default)]
struct Row {
    updates: u32,
    parameters: Vec<Parameter>,
}

#[derive(Default)]
struct Learner {
    rows: FxHashMap<u32, Row>,
    decisions: u32,
    features: CaptionFeatures,
}

impl Learner {
    fn learn(&mut self, sentence: &Sentence, lexicon: &Lexicon, round: &mut Round) {
        let words: Words = sentence.words.iter().map(String::as_str).collect();
        let mut caption = std::mem::take(&mut self.features);
        caption.extract(&words, lexicon);
        let (mut previous, mut previous2) = (0, 0);
        for (index, truth) in sentence.tags.iter().enumerate() {
            let guess = match caption.certain(index) {
                Some(tag) => tag.byte(),
                None => {
                    let features = caption.features(index, previous, previous2);
                    let guess = self.predict(&features);
                    self.decisions += 1;
                    round.decided += 1;
                    round.right += u64::from(guess == truth.byte());
                    if guess != truth.byte() {
                        self.update(&features, truth.byte(), 1);
                        self.update(&features, guess, -1);
                    }
                    guess
                }
            };
            (previous2, previous) = (previous, guess);
        }
        self.features = caption;
    }

    fn predict(&self, features: &FeatureHashes) -> u8 {
        let mut scores = [0; TAGS];
        let rows = features.iter().filter_map(|hash| self.rows.get(hash));
        for parameter in
            rows.filter(|row| row.updates >= UPDATES_MIN).flat_map(|row| &row.parameters)
        {
            scores[usize::from(parameter.tag)] += parameter.weight;
        }
        best(&scores)
    }

    fn update(&mut self, features: &FeatureHashes, tag: u8, change: i32) {
        for &hash in features {
            let row = self.rows.entry(hash).or_default();
            row.updates += 1;
            let row = &mut row.parameters;
            let parameter = match row.iter_mut().position(|parameter| parameter.tag == tag) {
                Some(at) => &mut row[at],
                None => {
                    row.push(Parameter { tag, weight: 0, total: 0, since: self.decisions });
                    row.last_mut().expect("just pushed")
                }
            };
            parameter.total +=
                i64::from(self.decisions - parameter.since) * i64::from(parameter.weight);
            parameter.since = self.decisions;
            parameter.weight += change;
        }
    }

    /// Adds every weight, averaged over all decisions.
    fn add_to(&self, sums: &mut Sums) {
        let decisions = i64::from(self.decisions.max(1));
        for (&hash, row) in self.rows.iter().filter(|(_, row)| row.updates >= UPDATES_MIN) {
            let tags = sums.entry(hash).or_default();
            for parameter in &row.parameters {
                let open =
                    i64::from(self.decisions - parameter.since) * i64::from(parameter.weight);
                let average =
                    rounded_quotient((parameter.total + open) * PARTS_PER_UNIT, decisions);
                *tags.entry(parameter.tag).or_default() += average;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clipa_schemas::penn::PennTag;

    use super::super::tagger::PerceptronTagger;
    use super::*;
    use crate::tagger::plugin::{TagBuffers, Tagger};

    /// Sentences of a few words, so that a tagger can memorize them.
    fn corpus() -> Vec<Sentence> {
        let words: [&[(&str, &str)]; 5] = [
            &[("the", "DT"), ("a", "DT")],
            &[("small", "JJ"), ("red", "JJ"), ("old", "JJ")],
            &[("dog", "NN"), ("park", "NN"), ("dogs", "NNS")],
            &[("parks", "VBZ"), ("sees", "VBZ"), ("dogs", "VBZ")],
            &[("quickly", "RB"), (".", ".")],
        ];
        let pick =
            |seed: usize, column: &[(&'static str, &'static str)]| column[seed % column.len()];
        (0..300)
            .map(|index| {
                let mut sentence = Sentence::default();
                for (place, column) in words.iter().enumerate() {
                    let (word, tag) = pick(index / (place + 1), column);
                    sentence.push(word, PennTag::from_name(tag).unwrap());
                }
                sentence
            })
            .collect()
    }

    #[test]
    fn training_is_deterministic_and_depends_on_the_seed() {
        let sentences = corpus();
        let run = |seed| train(&sentences, Training { rounds: 3, seed }, |_| {});
        let first = run(7);
        assert_eq!(first, run(7));
        assert_ne!(first, run(8));
    }

    #[test]
    fn an_ambiguous_word_is_tagged_by_its_context() {
        let weights = train(&corpus(), Training::default(), |_| {});
        let tagger = PerceptronTagger::from_bytes(&weights).unwrap();
        let words: Words = "the red dogs dogs quickly".split(' ').collect();
        let mut tags = Vec::new();
        tagger.tag(&words, &mut TagBuffers::default(), &mut tags);
        let tags: Vec<&str> = tags.iter().map(|tag| tag.name()).collect();
        assert_eq!(tags, ["DT", "JJ", "NNS", "VBZ", "RB"]);
    }

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        let quotients =
            [(5, 2), (-5, 2), (4, 3), (-4, 3), (0, 9)].map(|(a, b)| rounded_quotient(a, b));
        assert_eq!(quotients, [3, -3, 1, -1, 0]);
    }
}
