//! The command line of clipa-train.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clipa_talk::threads::MAX_THREADS;

use crate::run::MicroBatch;

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
    /// Classify a set zero-shot: top-1 and top-5 accuracy
    #[command(after_help = "\
Examples:
  clipa-train eval --run runs/finetune --data shapes-classes
  clipa-train eval --run runs/pretrain --data shapes-classes --image-size 64 --per-class --json")]
    Eval(EvalArguments),
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
    /// Where and with how many threads.
    #[command(flatten)]
    pub machine: MachineArguments,
    /// Step records as JSON lines on stdout, instead of lines for people on stderr
    #[arg(long)]
    pub json: bool,
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
    /// Stage of the recipe that runs
    #[arg(long, value_name = "NAME", default_value = "finetune")]
    pub stage: String,
    /// The rest.
    #[command(flatten)]
    pub train: TrainArguments,
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
    /// Run whose newest checkpoint is evaluated
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Classification set, a folder that `clipa-prep classes ingest` made
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Evaluate at the lengths of another stage of the run's recipe
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
    /// Side of the images in pixels, instead of the stage's; positions are resized
    #[arg(long, value_name = "PX")]
    pub image_size: Option<i64>,
    /// Tokens of the prompts, instead of the stage's; positions are resized
    #[arg(long, value_name = "N")]
    pub context_length: Option<i64>,
    /// How long prompts are reduced: as the stage reduces captions, which is what CLIPA reports, or full, cut only where
    /// the context ends
    #[arg(long, value_enum, default_value = "stage", value_name = "HOW")]
    pub prompts: Prompts,
    /// Read prompts as open_clip does for BERT models (one piece fewer), whatever the stage says; open_clip's figures of
    /// the published v2 weights were made so
    #[arg(long)]
    pub strip_sep_token: bool,
    /// Images at once; more need more memory
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub batch: usize,
    /// Use a classification set whose ingest has not ended as it is now
    #[arg(long)]
    pub allow_unfinished: bool,
    /// A line for every class
    #[arg(long)]
    pub per_class: bool,
    /// The report as JSON
    #[arg(long)]
    pub json: bool,
    /// Where and with how many threads.
    #[command(flatten)]
    pub machine: MachineArguments,
}

/// How prompts are reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Prompts {
    /// As the stage reduces captions; random and block become truncation
    Stage,
    /// Truncated at the context length
    Full,
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
