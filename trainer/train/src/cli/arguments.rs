//! The command line of clipa-train.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clipa_talk::threads::MAX_THREADS;

use crate::{
    checkpoint::WeightsKind,
    run::{MicroBatch, OnSpike},
};

/// Trains CLIP models with CLIPA's reduced token lengths, from a data set that clipa-prep made
#[derive(Debug, Parser)]
#[command(name = "clipa-train", version, propagate_version = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a recipe's first stage from random weights
    #[command(after_help = "\
Examples:
  clipa-train pretrain --recipe tiny-i17-t8 --data shapes --output runs/pretrain
  clipa-train pretrain --recipe b16-i50-t16 --data laion --output runs/b16 --set stage.batch=4096 --dry-run")]
    Pretrain(TrainArguments),
    /// Train a later stage, longer images and captions, from a run's weights
    #[command(after_help = "\
Examples:
  clipa-train finetune --recipe tiny-i17-t8 --from runs/pretrain --data shapes --output runs/finetune
  clipa-train finetune --recipe l16-i37-t8 --from model.safetensors --data laion --output runs/l16")]
    Finetune(FinetuneArguments),
    /// Train every stage of a recipe, each from the weights of the one before
    #[command(after_help = "\
Examples:
  clipa-train run --recipe tiny-i17-t8 --data shapes --output runs/tiny
  clipa-train run --recipe tiny-i17-t8 --data shapes --output runs/tiny --resume
  clipa-train run --recipe h14-i37-t8 --data datacomp --output runs/h14 --dry-run

A stage NAME becomes the run OUTPUT/NAME. `--set stage.KEY=VALUE` changes every stage, `--set stage.NAME.KEY=VALUE` one.")]
    Run(TrainArguments),
    /// Evaluate models: zero-shot classification, image and text retrieval
    #[command(after_help = "\
Examples:
  clipa-train eval runs/finetune --data shapes-classes --data shapes-pairs
  clipa-train eval runs/pretrain --data shapes-classes --image-size 64 --per-class --json
  clipa-train eval runs/pretrain --all-checkpoints --data shapes-classes")]
    Eval(EvalArguments),
    /// Write the embeddings of a data set's images and captions into a Parquet file
    #[command(after_help = "\
Examples:
  clipa-train embed runs/finetune --data laion --output embeddings.parquet
  clipa-train embed clipa-l14/ --data imagenet --image-size 224 --output imagenet.parquet")]
    Embed(EmbedArguments),
    /// Time a recipe's step: samples a second, operations, memory
    #[command(after_help = "\
Examples:
  clipa-train bench --recipe b16-i50-t16 --set stage.batch=64
  clipa-train bench --recipe tiny-i17-t8 --data shapes --steps 100 --json

Every step is one of training at the stage's peak learning rate. Nothing is kept. Without --data, batches are drawn and lie ready on
the device, so that only the step is on the clock.")]
    Bench(BenchArguments),
    /// Write a run's weights as open_clip or Hugging Face read them, with a model card
    #[command(after_help = "\
Examples:
  clipa-train export runs/finetune --to open_clip --output b16-open-clip
  clipa-train export runs/l14/finetune --to open_clip --bert-vocab vocab.txt --output l14-open-clip
  clipa-train export runs/b16/checkpoints/step-00016002 --to hf --output b16-hf

open_clip then loads the folder as local-dir:b16-open-clip, Hugging Face's transformers as CLIPModel.from_pretrained('b16-hf').")]
    Export(ExportArguments),
    /// Convert weights of open_clip, PyTorch or Hugging Face into a folder that --from and eval take
    #[command(after_help = "\
Examples:
  clipa-train import local-dir:ViT-H-14-CLIPA --output h14
  clipa-train import logs/b16/checkpoints/epoch_6.pt --config ViT-B-16.json --output b16
  clipa-train import clip-vit-base-patch32 --output openai-b32

A .pt is a pickle, a program. It is read by a reader that knows tensors and containers and executes nothing; what asks for more is refused.")]
    Import(ImportArguments),
    /// List the built-in recipes, or print one
    #[command(after_help = "\
Examples:
  clipa-train recipes
  clipa-train recipes show b16-i50-t16 > mine.toml")]
    Recipes(RecipesArguments),
}

/// Options of both training commands.
#[derive(Clone, Debug, Args)]
pub struct TrainArguments {
    /// Built-in recipe, or path of a TOML file; `clipa-train recipes` lists them
    #[arg(long, value_name = "NAME|FILE")]
    pub recipe: String,
    /// Data set to train on, a folder that clipa-prep made
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Folder of the run: checkpoints, metrics, resolved recipe; never overwritten
    #[arg(long, value_name = "RUN")]
    pub output: PathBuf,
    /// Change a recipe's value, as in `stage.batch=512` (the running stage) or `model.embed_dim=256`; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Continue the run in --output where its newest checkpoint stopped; the same losses as if it had not stopped
    #[arg(long)]
    pub resume: bool,
    /// Train although most stored images are smaller than the stage's and have to be enlarged
    #[arg(long)]
    pub allow_enlarging: bool,
    /// Use the shards without comparing them with their checksums, which reads each of them once more
    #[arg(long)]
    pub trust_data: bool,
    /// Seed of weights, order, crops and masks
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Pairs that go through the model at a time. Losses and gradients are those of the whole batch, to rounding; several
    /// micro-batches compute every feature twice and need the memory of one. `auto` takes the largest that fits, found by
    /// trying and remembered in the run
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    pub micro_batch: MicroBatch,
    /// Say what would run, with operations, memory, hours and money, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Use a data set whose ingest has not ended, or a run that has not, as it is now
    #[arg(long)]
    pub allow_unfinished: bool,
    /// Evaluate on this data set while training, and at the end: a classification set or pairs; repeatable. At the stage's
    /// lengths, and at those of the recipe's last stage where they are others. The training waits meanwhile; its losses are
    /// the same. Results go to RUN/results.jsonl
    #[arg(long, value_name = "DIR")]
    pub eval_data: Vec<PathBuf>,
    /// Steps between two evaluations; those between two checkpoints where it is not given
    #[arg(long, value_name = "N", requires = "eval_data", value_parser = clap::value_parser!(u64).range(1..))]
    pub eval_steps: Option<u64>,
    /// Where and with how many threads.
    #[command(flatten)]
    pub machine: MachineArguments,
    /// What happens where a loss is more than 1.0, and more than 8 median absolute deviations, above the median of the 64
    /// steps before. In every case the step, gradient norms by tower and the batch's keys are saved in RUN/spikes. A loss
    /// or gradient that is no number is never ignored
    #[arg(long, value_enum, default_value = "stop", value_name = "HOW")]
    pub on_spike: OnSpike,
    /// Peak of the device in TFLOP/s, for MFU; that of NVIDIA's data sheet where the GPU is a known one
    #[arg(long, value_name = "N", value_parser = positive)]
    pub device_tflops: Option<f64>,
    /// Step records as JSON lines on stdout, instead of lines for people on stderr
    #[arg(long)]
    pub json: bool,
}

/// A number above 0.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && number < f64::INFINITY => Ok(number),
        _ => Err("a number above 0".to_owned()),
    }
}

/// Options of `finetune`.
#[derive(Debug, Args)]
pub struct FinetuneArguments {
    /// Run, checkpoint, .safetensors file or folder from the Hub with the weights to begin from; a run that is continued
    /// remembers them
    ///
    /// What lies beside is read: open_clip_config.json, or the run's own recipe. Where the recipe leaves an activation or
    /// pixel statistics open they are taken from there; what contradicts the recipe is refused by name.
    #[arg(long, value_name = "RUN|FILE", required_unless_present = "resume")]
    pub from: Option<PathBuf>,
    /// Which weights of a run or checkpoint are taken, where its stage had `ema`: the raw ones, or their moving average
    #[arg(long, value_enum, default_value = "raw", value_name = "KIND")]
    pub weights: WeightsChoice,
    /// Begin with the optimizer's moments of --from, too: for a change of learning rate, length or data that is meant, and
    /// for a cooldown that branches off a checkpoint. Schedule, data order and average begin anew
    #[arg(long, requires = "from")]
    pub keep_moments: bool,
    /// Stage of the recipe that runs
    #[arg(long, value_name = "NAME", default_value = "finetune")]
    pub stage: String,
    /// The rest.
    #[command(flatten)]
    pub train: TrainArguments,
}

/// A kind of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WeightsChoice {
    /// Those that training goes on with
    Raw,
    /// Their moving average
    Ema,
}

impl From<WeightsChoice> for WeightsKind {
    fn from(choice: WeightsChoice) -> WeightsKind {
        match choice {
            WeightsChoice::Raw => WeightsKind::Raw,
            WeightsChoice::Ema => WeightsKind::Average,
        }
    }
}

/// Where a command computes.
#[derive(Clone, Debug, Args)]
pub struct MachineArguments {
    /// Where the model runs
    #[arg(long, value_enum, default_value = "auto")]
    pub device: DeviceChoice,
    /// Threads of libtorch on the CPU; all cores where it is not given. Other numbers round differently
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS as i64))]
    pub threads: Option<u16>,
    /// Threads that load data; raise it when `data wait` is not near 0 [default: 1 on a CPU, cores - 2 with a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS as i64))]
    pub workers: Option<u16>,
}

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// The first GPU where there is one, else the CPU
    Auto,
    /// The CPU
    Cpu,
    /// The first GPU
    Cuda,
}

/// Options of `eval`.
#[derive(Debug, Args)]
pub struct EvalArguments {
    /// Runs (their newest checkpoints), checkpoints, .safetensors files beside their run, or folders with an
    /// open_clip_config.json
    #[arg(value_name = "RUN", required_unless_present = "run")]
    pub runs: Vec<PathBuf>,
    /// The same; repeatable
    #[arg(long, value_name = "RUN")]
    pub run: Vec<PathBuf>,
    /// Data set, repeatable: one of `clipa-prep classes ingest` is classified, pairs of `clipa-prep laion ingest` are
    /// retrieved, with all of their captions
    #[arg(long, value_name = "DIR", required = true)]
    pub data: Vec<PathBuf>,
    /// Retrieval on every set; what has no captions is refused
    #[arg(long)]
    pub retrieval: bool,
    /// Every checkpoint that a run has kept, and a table by step
    #[arg(long)]
    pub all_checkpoints: bool,
    /// Write key, label and the five best classes of each sample into a Parquet file; with one run and one classification
    /// set
    #[arg(long, value_name = "FILE", conflicts_with = "all_checkpoints")]
    pub predictions: Option<PathBuf>,
    /// How images and texts are read.
    #[command(flatten)]
    pub reading: ReadingArguments,
    /// A line for every class
    #[arg(long)]
    pub per_class: bool,
    /// A line of JSON for every set and checkpoint, with the metrics' names of CLIP_benchmark
    #[arg(long)]
    pub json: bool,
    /// Where and with how many threads.
    #[command(flatten)]
    pub machine: MachineArguments,
}

/// Options of `embed`.
#[derive(Debug, Args)]
pub struct EmbedArguments {
    /// Run (its newest checkpoint), checkpoint, .safetensors file beside its run, or folder with an open_clip_config.json
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Data set whose images, and first captions where it has any, are embedded
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Parquet file with a row for every sample, in the set's order: `key`, `image_embedding` and `text_embedding` or
    /// `label`; embeddings are f32 of length one. Never overwritten
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// How images and texts are read.
    #[command(flatten)]
    pub reading: ReadingArguments,
    /// Where and with how many threads.
    #[command(flatten)]
    pub machine: MachineArguments,
}

/// How a model reads a data set that it is not trained on.
#[derive(Clone, Debug, Args)]
pub struct ReadingArguments {
    /// Which weights of a run or checkpoint are read, where its stage had `ema`: the raw ones, or their moving average
    #[arg(long, value_enum, default_value = "raw", value_name = "KIND")]
    pub weights: WeightsChoice,
    /// At the lengths of another stage of the run's recipe, with the positions that it would begin with
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
    /// Side of the images in pixels, instead of the stage's; positions are resized as the next stage would
    #[arg(long, value_name = "PX")]
    pub image_size: Option<i64>,
    /// Tokens of the texts, instead of the stage's; positions are resized
    #[arg(long, value_name = "N")]
    pub context_length: Option<i64>,
    /// How long texts are reduced: as the stage reduces captions, which is what CLIPA reports, or full, cut only where
    /// the context ends
    #[arg(long, value_enum, default_value = "stage", value_name = "HOW")]
    pub prompts: Prompts,
    /// Read texts as open_clip does for BERT models (one piece fewer), whatever the stage says; open_clip's figures of
    /// the published v2 weights were made so
    #[arg(long)]
    pub strip_sep_token: bool,
    /// Images at once; more need more memory
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub batch: usize,
    /// Use a data set whose ingest has not ended as it is now
    #[arg(long)]
    pub allow_unfinished: bool,
}

/// How prompts are reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Prompts {
    /// As the stage reduces captions; random and block become truncation
    Stage,
    /// Truncated at the context length
    Full,
}

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// Built-in recipe, or path of a TOML file; `clipa-train recipes` lists them
    #[arg(long, value_name = "NAME|FILE")]
    pub recipe: String,
    /// Stage of the recipe
    #[arg(long, value_name = "NAME", default_value = "pretrain")]
    pub stage: String,
    /// Change a recipe's value, as in `stage.batch=512`; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Run, checkpoint or .safetensors file with weights to begin with, instead of random ones
    #[arg(long, value_name = "RUN|FILE")]
    pub from: Option<PathBuf>,
    /// Read batches from this data set as training does, instead of drawn ones that lie ready on the device
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Steps that are timed
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub steps: u32,
    /// Steps before them, which choose kernels and fill caches
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub warmup: u16,
    /// Different batches that lie ready, used in turn
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000), conflicts_with = "data")]
    pub batches: u16,
    /// Seed of weights and batches
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Pairs that go through the model at a time, as for training
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    pub micro_batch: MicroBatch,
    /// Write weights, batches, and the first step's features and gradients into this .safetensors file, in f32, to compare
    /// them with another device or program; the losses are in the report
    #[arg(long, value_name = "FILE")]
    pub numbers: Option<PathBuf>,
    /// Use the shards without comparing them with their checksums
    #[arg(long)]
    pub trust_data: bool,
    /// The report as JSON
    #[arg(long)]
    pub json: bool,
    /// Where and with how many threads.
    #[command(flatten)]
    pub machine: MachineArguments,
}

/// Options of `export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Run (its newest checkpoint), checkpoint, or a folder that `import` or `export` wrote
    #[arg(value_name = "RUN|CHECKPOINT")]
    pub from: PathBuf,
    /// The program that is to read it
    #[arg(long, value_enum, value_name = "PROGRAM")]
    pub to: ExportFormat,
    /// Folder that is made; never overwritten
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
    /// vocab.txt of bert-base-uncased, from which a BERT model's tokenizer is written; without it, what lies beside the
    /// weights
    #[arg(long, value_name = "FILE", conflicts_with = "without_tokenizer")]
    pub bert_vocab: Option<PathBuf>,
    /// Leave a BERT model's tokenizer out: open_clip then finds none in the folder
    #[arg(long)]
    pub without_tokenizer: bool,
    /// Say what would be written and what the other program does otherwise, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// A program that weights are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A folder for `local-dir:` or the Hub: open_clip_config.json, open_clip_model.safetensors
    #[value(name = "open_clip")]
    OpenClip,
    /// A CLIPModel of Hugging Face's transformers: config.json, model.safetensors; only CLIP as OpenAI built it
    #[value(name = "hf")]
    HuggingFace,
}

/// Options of `import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// Folder of open_clip or Hugging Face, `local-dir:FOLDER`, an entry of the Hub's cache, a .safetensors, an index of
    /// several, or a .pt, .pth or .bin of PyTorch
    #[arg(value_name = "FROM")]
    pub from: PathBuf,
    /// Folder that is made, in open_clip's form; never overwritten
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
    /// open_clip's JSON of the model, where no open_clip_config.json lies beside the weights: that of its model_configs
    #[arg(long, value_name = "FILE", conflicts_with = "recipe")]
    pub config: Option<PathBuf>,
    /// A recipe that describes the model, where nothing lies beside the weights
    #[arg(long, value_name = "NAME|FILE")]
    pub recipe: Option<String>,
    /// The recipe's stage whose lengths the weights have; its last where it is not given
    #[arg(long, value_name = "NAME", requires = "recipe")]
    pub stage: Option<String>,
    /// Say what was found and would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `recipes`.
#[derive(Debug, Args)]
pub struct RecipesArguments {
    /// What to do; the list where nothing is given.
    #[command(subcommand)]
    pub command: Option<RecipesCommand>,
    /// The list as JSON
    #[arg(long)]
    pub json: bool,
}

/// The commands of `recipes`.
#[derive(Debug, Subcommand)]
pub enum RecipesCommand {
    /// Print a recipe as TOML, with parameters and operations as comments
    Show {
        /// Built-in recipe, or path of a TOML file
        recipe: String,
        /// Change a value
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
}
