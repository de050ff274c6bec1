//! Weights with all that is known of them: the model, how images and captions are prepared, and where they come from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clipa_recipe::{
    Recipe, Stage,
    model::config::{Loss, Tokenizer, VisionPositions},
};
use tch::Tensor;

use super::{
    error::ExchangeError,
    hugging_face,
    located::Located,
    moments::{self, Found},
    opened::Opened,
    provenance::Provenance,
    tokenizer,
};
use crate::{
    checkpoint::{self, CheckpointError, Fit},
    facts::{self, Configuration},
    model::{ParameterSpec, specify},
    run,
};

/// What a folder's stage is called whose weights were not trained here.
pub const IMPORTED: &str = "imported";
/// Names that a message shows.
const SHOWN: usize = 4;

/// Weights, and the recipe-like description of what they compute.
#[derive(Debug)]
pub struct Weights {
    /// The model and one stage, [`Weights::stage`]; of that only sizes, tokenizer, reduction and preprocessing mean something unless
    /// the weights are of a run.
    pub recipe: Recipe,
    /// Every parameter, open_clip's name, f32, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
    /// Moments of the optimizer, where a training checkpoint has them and they were asked for.
    pub moments: Option<moments::Moments>,
    /// Is the recipe one of training, and not made up for weights from elsewhere?
    pub(super) is_own: bool,
    /// The run that they are of.
    pub(super) provenance: Option<Provenance>,
    /// The file that they were read from.
    pub file: PathBuf,
    /// Their folder.
    pub(super) folder: PathBuf,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What describes weights beside which nothing lies.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// open_clip's configuration, with or without `model_cfg` around it.
    pub config: Option<PathBuf>,
    /// A recipe of ours and the stage of it whose lengths the weights have.
    pub recipe: Option<(Recipe, String)>,
}

impl Weights {
    /// Reads a run (its newest checkpoint), a checkpoint, or what other programs write: a folder of open_clip's or Hugging Face's, an
    /// entry of the Hub's cache, `local-dir:FOLDER`, a `.safetensors`, a list of several, or a `.pt` of PyTorch's.
    ///
    /// # Errors
    /// What is not there, is damaged, asks for more than tensors, or is of a model that is not built here.
    pub fn read(from: &Path) -> Result<Weights, ExchangeError> {
        match Weights::of_run(from)? {
            Some(weights) => Ok(weights),
            None => Weights::foreign(from, &Description::default()),
        }
    }

    /// The stage that the weights are of.
    pub fn stage(&self) -> &Stage {
        &self.recipe.stages[0]
    }

    /// The same as a configuration.
    pub fn configuration(&self) -> Configuration {
        Configuration::of_stage(&self.recipe, self.stage())
    }

    /// Those of a run or checkpoint of ours; `None` for anything else.
    fn of_run(from: &Path) -> Result<Option<Weights>, ExchangeError> {
        let from = match from.parent() {
            Some(folder) if from.ends_with(checkpoint::MODEL) => folder,
            _ => from,
        };
        let is_checkpoint = from.join(checkpoint::STATE).is_file();
        if !is_checkpoint && !from.join(run::IDENTITY).is_file() {
            return Ok(None);
        }
        let file = checkpoint::model_file(from)?;
        let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
        let state = checkpoint::State::read(&folder.join(checkpoint::STATE))?;
        let home = match is_checkpoint {
            false => from.to_owned(),
            true => home_of(&folder)?,
        };
        let mut recipe = run::recipe_of(&home)?;
        recipe.stages.retain(|stage| stage.name == state.stage);
        if recipe.stages.is_empty() {
            let detail =
                format!("its recipe has no stage `{}`", clipa_talk::printable(&state.stage));
            return Err(ExchangeError::damaged(&home, detail));
        }
        let tensors = checkpoint::tensors::read(&file)?;
        let mut weights = Weights {
            recipe,
            tensors,
            moments: None,
            is_own: true,
            provenance: None,
            folder,
            file,
            notes: Vec::new(),
        };
        weights.check_shapes()?;
        if state.step < state.total_steps {
            weights.notes.push(format!(
                "the weights are of step {} of {} of stage {}",
                state.step,
                state.total_steps,
                clipa_talk::printable(&state.stage)
            ));
        }
        weights.provenance = Some(Provenance::of(&home, state)?);
        Ok(Some(weights))
    }

    /// Those of other programs; `described` says what nothing beside them does.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn foreign(from: &Path, described: &Description) -> Result<Weights, ExchangeError> {
        let located = Located::of(from)?;
        let mut opened = Opened::open(&located.file)?;
        let names = opened.named().iter().map(|named| named.name.as_str());
        let is_hugging_face = hugging_face::is_hugging_face(names);
        let Described { recipe, is_own, mut notes } =
            model_of(&located, is_hugging_face, described)?;
        let mut tensors = opened.tensors()?;
        if is_hugging_face {
            tensors = hugging_face::to_open_clip(tensors, &recipe.model);
        }
        for name in ["logit_scale", "logit_bias"] {
            if let Some(tensor) = tensors.get_mut(name).filter(|tensor| tensor.numel() == 1) {
                *tensor = tensor.reshape([0i64; 0]);
            }
        }
        if !opened.left_out.is_empty() {
            let some: Vec<&str> = opened.left_out.iter().take(SHOWN).map(String::as_str).collect();
            notes.push(format!(
                "{} left out, which are no parameters: {}",
                opened.left_out.len(),
                clipa_talk::printable(&some.join(", "))
            ));
        }
        let moments = match moments::of(&mut opened)? {
            Found::Nothing => None,
            Found::Moments(moments) => Some(moments),
            Found::Unmatched(reason) => {
                notes.push(format!("the optimizer's moments are not used: {reason}"));
                None
            }
        };
        let mut weights = Weights {
            recipe,
            tensors,
            moments,
            is_own,
            provenance: None,
            file: opened.path().to_owned(),
            folder: located.folder,
            notes,
        };
        weights.settle_loss();
        weights.settle_positions();
        weights.check_shapes()?;
        Ok(weights)
    }

    /// Only SigLIP's loss has a bias, whatever the configuration leaves out.
    fn settle_loss(&mut self) {
        let model = &mut self.recipe.model;
        if self.tensors.contains_key("logit_bias") && model.loss == Loss::Clip {
            model.loss = Loss::Siglip;
            self.notes.push(
                "the weights have a logit_bias, which only SigLIP's loss has: model.loss = siglip"
                    .to_owned(),
            );
        }
    }

    /// Name and checksum of the file that they were read from.
    pub(super) fn source(&self) -> String {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match checkpoint::weights_blake3(&self.file) {
            Ok(digest) => format!("{name}, BLAKE3 `{digest}`"),
            Err(_) => name,
        }
    }

    /// Which of the two tables some positions are, open_clip does not say; and where they are none, they were trained.
    fn settle_positions(&mut self) {
        let said = self.configuration().model.vision.positions;
        if said == VisionPositions::Learnable {
            return;
        }
        let stored = self.tensors.get("visual.positional_embedding");
        let found = stored.and_then(checkpoint::table_of).unwrap_or(VisionPositions::Learnable);
        if found == VisionPositions::Learnable {
            self.notes.push(
                "the configuration says that positions are a sin-cos table, and the weights hold none: taken as trained"
                    .to_owned(),
            );
        }
        self.recipe.model.vision.positions = found;
        self.recipe.stages.iter_mut().for_each(|stage| stage.positions = None);
    }

    fn check_shapes(&self) -> Result<(), ExchangeError> {
        let config = self.configuration();
        let specs = specify(&config.model, config.sizes);
        let specs: Vec<&ParameterSpec> = specs.iter().collect();
        let tensors = self.tensors.iter();
        let shapes = tensors.map(|(name, tensor)| (name.clone(), tensor.size())).collect();
        checkpoint::compare(&specs, &shapes, Fit::Exact).map_err(|detail| {
            CheckpointError::OtherModel { path: self.file.clone(), detail }.into()
        })
    }
}

/// The run whose checkpoint a folder is.
fn home_of(checkpoint: &Path) -> Result<PathBuf, ExchangeError> {
    let whole = std::path::absolute(checkpoint).map_err(ExchangeError::io(checkpoint))?;
    let home = whole.parent().and_then(Path::parent).map(Path::to_owned);
    home.filter(|home| home.join(run::RECIPE).is_file()).ok_or_else(|| {
        ExchangeError::unsupported(
            checkpoint,
            "a checkpoint away from its run, whose recipe.toml says what the model is",
            Some("name the run, or a checkpoint within it"),
        )
    })
}

/// What is known of a model before its tensors are.
struct Described {
    recipe: Recipe,
    is_own: bool,
    notes: Vec<String>,
}

/// The model that lies beside weights, or that is described.
fn model_of(
    located: &Located,
    is_hugging_face: bool,
    described: &Description,
) -> Result<Described, ExchangeError> {
    let own = |recipe| Described { recipe, is_own: true, notes: Vec::new() };
    if let Some((recipe, stage)) = &described.recipe {
        let mut recipe = recipe.clone();
        recipe.stages.retain(|other| other.name == *stage);
        return Ok(own(recipe));
    }
    let beside = located.beside(run::RECIPE).filter(|_| described.config.is_none());
    if let Some(path) = beside {
        let recipe = run::recipe_of(path.parent().unwrap_or(Path::new(".")))?;
        if recipe.stages.len() == 1 {
            return Ok(own(recipe));
        }
    }
    let config = described.config.clone().or_else(|| located.open_clip_config());
    let configuration = if is_hugging_face {
        let Some(config) = located.beside(hugging_face::CONFIG) else {
            return Err(ExchangeError::unsupported(
                &located.file,
                "Hugging Face's names, and no config.json beside them",
                Some("put config.json of the same model beside it"),
            ));
        };
        let preprocessor = located.beside(hugging_face::PREPROCESSOR);
        hugging_face::configuration(&config, preprocessor.as_deref())?
    } else {
        let Some(config) = config else {
            return Err(ExchangeError::unsupported(
                &located.file,
                "no open_clip_config.json beside it: heads, activation and pooling leave no trace in the tensors",
                Some(
                    "describe the model with --config FILE (open_clip's JSON), or with --recipe NAME|FILE",
                ),
            ));
        };
        let configuration = facts::open_clip_configuration(&config)?;
        check_rows(located, &config, &configuration)?;
        configuration
    };
    let notes = configuration.notes.clone();
    Ok(Described { recipe: configuration.recipe(IMPORTED), is_own: false, notes })
}

/// Refuses BERT's rows that end in `[SEP]`, which are made nowhere here.
fn check_rows(
    located: &Located,
    config: &Path,
    configuration: &Configuration,
) -> Result<(), ExchangeError> {
    let is_bert = configuration.model.text.tokenizer == Tokenizer::BertWordpiece;
    let ends = tokenizer::ends_in_separator(&located.folder);
    if !is_bert || configuration.strip_sep_token || ends == Some(false) {
        return Ok(());
    }
    Err(ExchangeError::unsupported(
        config,
        "text_cfg.tokenizer_kwargs.strip_sep_token is not true: its rows end in [SEP], and those of a data set do not",
        Some(
            "if it was trained with CLIPA's rows, set it to true, or put the tokenizer.json of those rows beside it",
        ),
    ))
}
