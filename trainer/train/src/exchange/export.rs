//! Writes weights as other programs read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clipa_recipe::{
    Recipe, Stage,
    model::config::{Tokenizer, VisionPool, VisionPositions},
};
use clipa_schemas::{
    file,
    reduction::{image::ImageReduction, text::TextReduction},
};
use tch::Tensor;

use super::{
    card::{self, CARD, Program},
    error::ExchangeError,
    folder::{NewFolder, check_free, write_text},
    hugging_face,
    tokenizer::{self, Vocabulary},
    weights::Weights,
};
use crate::{checkpoint, run};

/// open_clip's name of the weights in a folder.
pub const OPEN_CLIP_MODEL: &str = "open_clip_model.safetensors";
/// Hugging Face's.
const HUGGING_FACE_MODEL: &str = "model.safetensors";

/// The program that is to read the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// open_clip, by `local-dir:FOLDER` or from the Hub.
    OpenClip {
        /// Where the tokenizer's files come from.
        tokenizer: TokenizerFiles,
    },
    /// Hugging Face's `CLIPModel`.
    HuggingFace,
}

/// Where the files of a BERT tokenizer come from; models of CLIP's byte pairs need none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenizerFiles {
    /// They are made of this `vocab.txt`.
    Vocabulary(PathBuf),
    /// Those beside the weights; where there are none, the export is refused.
    Beside,
    /// Those beside the weights, where there are some.
    BesideIfAny,
    /// They are left out.
    None,
}

/// An export that can be written.
#[derive(Debug)]
pub struct Export<'w> {
    weights: &'w Weights,
    target: Target,
    files: Files,
    /// What the other program does otherwise than this one, a sentence each.
    pub differences: Vec<String>,
}

/// Files of the tokenizer that go along.
#[derive(Debug)]
enum Files {
    None,
    Written(Vocabulary),
    Copied(Vec<PathBuf>),
}

impl Export<'_> {
    /// Checks that the other program can hold the model, and says what it does otherwise.
    ///
    /// # Errors
    /// [`ExchangeError::Inexpressible`]; a BERT model without its vocabulary.
    pub fn plan(weights: &Weights, target: Target) -> Result<Export<'_>, ExchangeError> {
        let (recipe, stage) = (&weights.recipe, weights.stage());
        let (files, mut differences) = match &target {
            Target::HuggingFace => {
                let config = weights.configuration();
                let unsayable = hugging_face::unsayable(&config.model);
                if !unsayable.is_empty() {
                    return Err(ExchangeError::Inexpressible {
                        program: "Hugging Face's CLIPModel",
                        detail: unsayable.join("; "),
                        hint: Some("open_clip can: --to open_clip".to_owned()),
                    });
                }
                (Files::None, of_hugging_face(recipe, stage))
            }
            Target::OpenClip { tokenizer } => {
                (files(weights, tokenizer)?, of_open_clip(recipe, stage))
            }
        };
        let is_bert = recipe.model.text.tokenizer != Tokenizer::ClipBpe;
        if is_bert && matches!(files, Files::None) {
            differences.push(
                "no tokenizer lies in the folder: open_clip's get_tokenizer does not find one there".to_owned(),
            );
        }
        Ok(Export { weights, target, files, differences })
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> u64 {
        let count = |tensor: &Tensor| tensor.numel() as u64 * size_of::<f32>() as u64;
        self.weights.tensors.values().map(count).sum()
    }

    /// Writes the folder, whole or not at all.
    ///
    /// # Errors
    /// [`ExchangeError::Exists`]; the disk.
    pub fn write(&self, output: &Path) -> Result<(), ExchangeError> {
        let folder = NewFolder::begin(output)?;
        let weights = self.weights;
        let all =
            || weights.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
        match self.target {
            Target::OpenClip { .. } => {
                let config = run::open_clip_config(&weights.recipe, weights.stage());
                file::write_json(&folder.path().join(run::OPEN_CLIP_CONFIG), &config)?;
                if weights.is_own {
                    let recipe = weights.recipe.to_toml();
                    write_text(&folder.path().join(run::RECIPE), &recipe)?;
                }
                self.write_tokenizer(folder.path())?;
                if let Some(moments) = &weights.moments {
                    moments.write(folder.path())?;
                }
                let card = card::card(weights, Program::OpenClip, &self.differences);
                write_text(&folder.path().join(CARD), &card)?;
                checkpoint::tensors::write(&folder.path().join(OPEN_CLIP_MODEL), all().collect())?;
            }
            Target::HuggingFace => {
                let config = weights.configuration();
                let described = hugging_face::described(&config);
                file::write_json(&folder.path().join(hugging_face::CONFIG), &described)?;
                let preprocessor = hugging_face::preprocessor(&config);
                file::write_json(&folder.path().join(hugging_face::PREPROCESSOR), &preprocessor)?;
                let card = card::card(weights, Program::HuggingFace, &self.differences);
                write_text(&folder.path().join(CARD), &card)?;
                let tensors = hugging_face::from_open_clip(all().collect(), &config.model);
                let tensors = tensors.into_iter().collect();
                checkpoint::tensors::write(&folder.path().join(HUGGING_FACE_MODEL), tensors)?;
            }
        }
        folder.commit()
    }

    /// Refuses an output that holds something, before anything is read for it.
    ///
    /// # Errors
    /// [`ExchangeError::Exists`].
    pub fn check_output(output: &Path) -> Result<(), ExchangeError> {
        check_free(output)
    }

    fn write_tokenizer(&self, folder: &Path) -> Result<(), ExchangeError> {
        match &self.files {
            Files::None => Ok(()),
            Files::Written(vocabulary) => {
                vocabulary.write(folder, self.weights.stage().strip_sep_token)
            }
            Files::Copied(files) => {
                for path in files {
                    let target = folder.join(path.file_name().unwrap_or_default());
                    fs::copy(path, &target).map_err(ExchangeError::io(path))?;
                }
                Ok(())
            }
        }
    }
}

/// The tokenizer's files: made of the vocabulary, or those that lie beside the weights.
fn files(weights: &Weights, wanted: &TokenizerFiles) -> Result<Files, ExchangeError> {
    let is_bert = weights.recipe.model.text.tokenizer == Tokenizer::BertWordpiece;
    match wanted {
        TokenizerFiles::Vocabulary(path) if is_bert => {
            return Ok(Files::Written(Vocabulary::read(path)?));
        }
        TokenizerFiles::Beside | TokenizerFiles::BesideIfAny if is_bert => {}
        _ => return Ok(Files::None),
    }
    let beside = tokenizer::FILES.iter().map(|name| weights.folder.join(name));
    let beside: Vec<PathBuf> = beside.filter(|path| path.is_file()).collect();
    for path in &beside {
        let bytes = fs::metadata(path).map_err(ExchangeError::io(path))?.len();
        if bytes > tokenizer::MAX_FILE_BYTES {
            return Err(ExchangeError::damaged(path, format!("{bytes} bytes are no tokenizer")));
        }
    }
    if !beside.is_empty() {
        return Ok(Files::Copied(beside));
    }
    if *wanted == TokenizerFiles::BesideIfAny {
        return Ok(Files::None);
    }
    Err(ExchangeError::unsupported(
        &weights.file,
        "the model reads BERT's WordPiece, and its vocabulary is not beside the weights",
        Some(
            "name vocab.txt of bert-base-uncased with --bert-vocab, or leave the tokenizer out with --without-tokenizer",
        ),
    ))
}

/// What open_clip does otherwise.
fn of_open_clip(recipe: &Recipe, stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    if recipe.model.vision.pool == VisionPool::AvgAll {
        let patches = recipe.model.grid_side(stage.sizes()).pow(2);
        found.push(format!(
            "model.vision.pool = avg-all: trained with the mean over all {} tokens; open_clip's `avg` leaves the class token out and \
             takes the mean over {patches}, so image features differ slightly",
            patches + 1
        ));
    }
    let is_bert = recipe.model.text.tokenizer != Tokenizer::ClipBpe;
    match stage.text_reduction {
        TextReduction::Truncate => {}
        reduction @ (TextReduction::SyntaxPieces | TextReduction::SyntaxVocab) => {
            found.push(format!(
                "text_reduction = {reduction}: open_clip has no word for it, and truncates captions that are longer than {} tokens",
                stage.context_length
            ));
        }
        reduction if is_bert => found.push(format!(
            "text_reduction = {reduction}: open_clip reduces no BERT tokens, and truncates captions that are longer than {} tokens",
            stage.context_length
        )),
        TextReduction::Syntax => found.push(
            "text_reduction = syntax: open_clip asks NLTK for tags, which needs its package and data; captions that are short enough \
             are the same without"
                .to_owned(),
        ),
        TextReduction::Random | TextReduction::Block => {}
    }
    found.extend(unmasked(stage));
    if stage.model(&recipe.model).vision.positions == VisionPositions::SinCos2dJax {
        found.push(
            "positions = sin-cos-2d-jax: open_clip's `sin_cos_2d` is another table; it uses the one in the weights, and interpolates \
             it for other image sizes"
                .to_owned(),
        );
    }
    if is_bert && !stage.strip_sep_token {
        found.push(
            "rows end without [SEP], as trained: the tokenizer in this folder makes them so, the Hub's bert-base-uncased does not"
                .to_owned(),
        );
    }
    found
}

/// Masks are of training; no other program repeats them by itself.
fn unmasked(stage: &Stage) -> Option<String> {
    let mask = serde_json::to_string(&stage.image_reduction).unwrap_or_default();
    (stage.image_reduction != ImageReduction::Resize).then(|| {
        format!(
            "image_reduction = {mask}: trained with a part of the patches; there all of them are looked at, as evaluation here does \
             (open_clip's --force-patch-dropout masks at random in training)"
        )
    })
}

/// What `CLIPModel` does otherwise; that it cannot hold a model is refused before.
fn of_hugging_face(recipe: &Recipe, stage: &Stage) -> Vec<String> {
    let mut found = vec![
        "no tokenizer lies in the folder: CLIPTokenizer of openai/clip-vit-base-patch32 has the same byte pairs, with max_length the \
         number of text tokens above"
            .to_owned(),
    ];
    if stage.text_reduction != TextReduction::Truncate {
        found.push(format!(
            "text_reduction = {}: CLIPTokenizer truncates captions that are longer than {} tokens",
            stage.text_reduction, stage.context_length
        ));
    }
    found.extend(unmasked(stage));
    if stage.model(&recipe.model).vision.positions != VisionPositions::Learnable {
        found.push(
            "positions were a fixed table; here they are parameters with its numbers".to_owned(),
        );
    }
    found
}
