//! Draws a captioned set of pictures, so that the whole system can be tried with no data at hand.
//!
//! A picture shows one [`shape::Shape`] of one [`vocabulary::Colour`], of some size, at some place, on
//! some background. Its caption says so, as captions of the web do: more or less of it, with filler.
//! The training set is written as img2dataset writes LAION, the zero-shot set as CLIP_benchmark reads
//! it, with the pairs of shape and colour as classes; some pairs never occur in training.
//!
//! ```text
//! OUTPUT/synth.json                      the plan that the files are made from
//!        train/00000.tar                 KEY.jpg, KEY.json, KEY.txt
//!        train/00000.parquet             the same rows as img2dataset's side file
//!        train/00000_stats.json          its counts; present = this tar is complete
//!        classes/0.tar                   KEY.cls, KEY.jpg
//!        classes/classnames.txt, zeroshot_classification_templates.txt, nshards.txt
//!        classes/held_out.txt            classes that never occur in training
//! ```
//!
//! Every byte is a function of the [`plan::Plan`]: not of threads, of the machine, or of where a run
//! was stopped.

pub mod caption;
mod clip_benchmark;
pub mod drawing;
mod error;
mod file;
pub mod geometry;
mod img2dataset;
pub mod plan;
pub mod random_stream;
pub mod raster;
pub mod renderer;
pub mod scene;
pub mod shape;
pub mod vocabulary;

pub use error::SynthError;
