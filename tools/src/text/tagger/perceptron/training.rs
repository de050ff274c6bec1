//! Training: the averaged perceptron in integers, so that the same corpus and seed give the same bytes everywhere.

use clipa_schemas::penn::PennTag;
use rustc_hash::FxHashMap;

use super::features::{FeatureHashes, WordBuffers, folded};
use super::file;
use super::lexicon::{Lexicon, TAGS};
use super::model::{FeatureWeights, WEIGHTS_MAX, Weight, best};
use super::variants::{Random, vary};
use crate::text::words::Words;

/// Words and their tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence {
    /// The words.
    pub words: Vec<String>,
    /// One tag a word.
    pub tags: Vec<PennTag>,
}

impl Sentence {
    /// Words with their tags.
    pub fn iter(&self) -> impl Iterator<Item = (&str, PennTag)> {
        self.words.iter().map(String::as_str).zip(self.tags.iter().copied())
    }

    /// Adds a word at the end.
    pub fn push(&mut self, word: impl Into<String>, tag: PennTag) {
        self.words.push(word.into());
        self.tags.push(tag);
    }
}

/// How to train.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    /// How often all sentences are seen.
    pub rounds: u32,
    /// Decides the order of the sentences and how they are varied.
    pub seed: u64,
}

impl Default for Training {
    fn default() -> Self {
        Training { rounds: 12, seed: 1 }
    }
}

/// How one round went, on the varied sentences of that round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// From 1.
    pub number: u32,
    /// Words that were decided (not [certain](Lexicon)).
    pub decided: u64,
    /// How many of them came out right, before the update.
    pub right: u64,
}

/// Steps of a weight: an average of 1 is stored as this.
const STEPS_PER_UNIT: i64 = 6;
/// Smallest stored magnitude; smaller weights are dropped.
const STEPS_MIN: i64 = 2;

/// Trains a tagger and returns its file of weights. `after_round` is told after each round.
pub fn train(
    sentences: &[Sentence],
    training: Training,
    mut after_round: impl FnMut(Round),
) -> Vec<u8> {
    let lexicon = Lexicon::of(sentences, folded);
    let mut learner = Learner::default();
    let mut random = Random::new(training.seed);
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    for number in 1..=training.rounds {
        random.shuffle(&mut order);
        let mut round = Round { number, decided: 0, right: 0 };
        for pair in order.chunks(2) {
            let first = vary(&sentences[pair[0]], &mut random);
            let second = pair.get(1).map(|&second| vary(&sentences[second], &mut random));
            // Captions of several sentences come as one list of words.
            match second {
                Some(second) if random.one_in(5) => {
                    let mut joined = first;
                    joined.words.extend(second.words);
                    joined.tags.extend(second.tags);
                    learner.learn(&joined, &lexicon, &mut round);
                }
                Some(second) => {
                    learner.learn(&first, &lexicon, &mut round);
                    learner.learn(&second, &lexicon, &mut round);
                }
                None => learner.learn(&first, &lexicon, &mut round),
            }
        }
        after_round(round);
    }
    file::write(&lexicon, &learner.averages())
}

/// One weight while it is learnt.
#[derive(Clone, Copy)]
struct Parameter {
    tag: u8,
    weight: i32,
    /// Sum of the weight over all decisions until `since`.
    total: i64,
    since: u32,
}

/// The weights of one feature while they are learnt.
#[derive(Default)]
struct Row {
    updates: u32,
    parameters: Vec<Parameter>,
}

#[derive(Default)]
struct Learner {
    rows: FxHashMap<u32, Row>,
    decisions: u32,
    views: WordBuffers,
}

impl Learner {
    fn learn(&mut self, sentence: &Sentence, lexicon: &Lexicon, round: &mut Round) {
        let words: Words = sentence.words.iter().map(String::as_str).collect();
        let mut views = std::mem::take(&mut self.views);
        views.view(&words, lexicon);
        let (mut previous, mut second) = (0, 0);
        for (index, truth) in sentence.tags.iter().enumerate() {
            let guess = match views.certain(index) {
                Some(tag) => tag.byte(),
                None => {
                    let features = views.features(index, previous, second);
                    let guess = self.guess(&features);
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
            (second, previous) = (previous, guess);
        }
        self.views = views;
    }

    fn guess(&self, features: &FeatureHashes) -> u8 {
        let mut scores = [0; TAGS];
        let rows = features.iter().filter_map(|hash| self.rows.get(hash));
        for parameter in rows.filter(|row| row.updates >= tau()).flat_map(|row| &row.parameters) {
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

    /// Every weight averaged over all decisions, in [`STEPS_PER_UNIT`]s, by the hash of its feature.
    fn averages(&self) -> Vec<FeatureWeights> {
        let mut features: Vec<FeatureWeights> = Vec::new();
        for (&hash, row) in self.rows.iter().filter(|(_, row)| row.updates >= tau()) {
            let mut weights: Vec<Weight> =
                row.parameters.iter().filter_map(|p| self.average(p)).collect();
            weights.sort_unstable_by_key(|weight| weight.tag);
            if !weights.is_empty() {
                features.push((hash, weights));
            }
        }
        features.sort_unstable_by_key(|&(hash, _)| hash);
        let entries: usize = features.iter().map(|(_, weights)| weights.len()).sum();
        assert!(
            entries < WEIGHTS_MAX,
            "a corpus that gives {entries} weights is too large for the file format"
        );
        features
    }

    fn average(&self, parameter: &Parameter) -> Option<Weight> {
        let open = i64::from(self.decisions - parameter.since) * i64::from(parameter.weight);
        let decisions = i64::from(self.decisions.max(1));
        // Rounded half away from zero, in integers.
        let doubled = 2 * STEPS_PER_UNIT * (parameter.total + open);
        let steps = (doubled + doubled.signum() * decisions) / (2 * decisions);
        let value = steps.clamp(i64::from(-i8::MAX), i64::from(i8::MAX)) as i8;
        (steps.abs() >= STEPS_MIN).then_some(Weight { tag: parameter.tag, value })
    }
}

fn tau() -> u32 {
    static T: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *T.get_or_init(|| std::env::var("TAU").ok().and_then(|x| x.parse().ok()).unwrap_or(0))
}
