//! What a CLIP model is made of: the sizes of two towers and the switches in which CLIPA's dialects differ.

use clipa_schemas::reduction::text::MAX_CONTEXT_LENGTH;
use serde::{Deserialize, Serialize};

use crate::whole;

/// Greatest width of a tower, of an MLP and of the embedding, in numbers; bigG's MLP has 8,192.
pub const MAX_WIDTH: i64 = 1 << 15;
/// Greatest number of layers of a tower; bigG has 48.
pub const MAX_LAYERS: i64 = 256;
/// Greatest number of rows of the token embedding: stored ids are 16 bits wide.
pub const MAX_VOCABULARY: i64 = 1 << 16;
/// Greatest image side in pixels.
pub const MAX_IMAGE_SIZE_PX: i64 = 1024;

/// A CLIP model without the two lengths that change from stage to stage ([`InputSizes`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Length of an embedding.
    #[serde(deserialize_with = "whole::number")]
    pub embed_dim: i64,
    /// Activation of both towers' MLPs, unless the text tower has one of its own.
    #[serde(default)]
    pub gelu: Gelu,
    /// Epsilon of every layer norm: 1e-5 in the torch dialects, 1e-6 in the JAX one.
    #[serde(default = "default_ln_eps")]
    pub ln_eps: f64,
    /// Mean and standard deviation that pixels are normalised with.
    #[serde(default)]
    pub pixels: PixelStatistics,
    /// What it is trained for; SigLIP's has one parameter more.
    #[serde(default, skip_serializing_if = "Loss::is_clip")]
    pub loss: Loss,
    /// The image tower.
    pub vision: VisionConfig,
    /// The text tower.
    pub text: TextConfig,
}

/// The image tower: a pre-norm ViT with a class token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisionConfig {
    /// Width of the residual stream.
    #[serde(deserialize_with = "whole::number")]
    pub width: i64,
    /// Number of blocks.
    #[serde(deserialize_with = "whole::number")]
    pub layers: i64,
    /// Attention heads; divides `width`.
    #[serde(deserialize_with = "whole::number")]
    pub heads: i64,
    /// Width of the MLP's hidden layer.
    #[serde(deserialize_with = "whole::number")]
    pub mlp_width: i64,
    /// Side of a patch in pixels.
    #[serde(deserialize_with = "whole::number")]
    pub patch_size: i64,
    /// Layer norm before the first block (v1 yes, v2 no).
    #[serde(default = "yes")]
    pub ln_pre: bool,
    /// How tokens become one vector.
    #[serde(default)]
    pub pool: VisionPool,
    /// Final layer norm after the pooling instead of before it; no difference for [`VisionPool::Cls`].
    #[serde(default)]
    pub final_ln_after_pool: bool,
    /// Where the position embeddings come from.
    #[serde(default)]
    pub positions: VisionPositions,
}

/// The text tower.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// Width of the residual stream.
    #[serde(deserialize_with = "whole::number")]
    pub width: i64,
    /// Number of blocks.
    #[serde(deserialize_with = "whole::number")]
    pub layers: i64,
    /// Attention heads; divides `width`.
    #[serde(deserialize_with = "whole::number")]
    pub heads: i64,
    /// Width of the MLP's hidden layer.
    #[serde(deserialize_with = "whole::number")]
    pub mlp_width: i64,
    /// Rows of the token embedding.
    #[serde(deserialize_with = "whole::number")]
    pub vocab_size: i64,
    /// Whose token ids it reads.
    #[serde(default)]
    pub tokenizer: Tokenizer,
    /// A token sees only those before it (v1 yes, v2 no).
    #[serde(default = "yes")]
    pub causal: bool,
    /// How tokens become one vector.
    #[serde(default)]
    pub pool: TextPool,
    /// Activation of its MLPs where it is not the image tower's (OpenVision).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gelu: Option<Gelu>,
}

/// The two lengths that a stage chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputSizes {
    /// Side of the square image in pixels, a multiple of the patch size.
    pub image_size: i64,
    /// Tokens of a caption, specials and padding included.
    pub context_length: i64,
}

/// Activation of the MLPs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gelu {
    /// x·Φ(x), exact.
    #[default]
    Erf,
    /// The tanh approximation, which CLIPA's v2 weights were trained with.
    Tanh,
    /// x·σ(1.702 x), OpenAI's.
    Quick,
}

/// How the image tower's tokens become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VisionPool {
    /// The class token (v1 B/16).
    #[default]
    Cls,
    /// Mean over the patches, without the class token (v2).
    AvgPatches,
    /// Mean over all tokens, the class token included (v1 L/16).
    AvgAll,
}

/// How the text tower's tokens become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextPool {
    /// The position of the greatest token id, which is the end token in CLIP's BPE (v1).
    #[default]
    Argmax,
    /// The last position, whatever stands there (v2).
    Last,
    /// The first position.
    First,
}

/// Where the image tower's position embeddings come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VisionPositions {
    /// Trained.
    #[default]
    Learnable,
    /// The fixed sin-cos table of MAE and clipa_torch: frequencies 10000^(-k/Q).
    #[serde(rename = "sin-cos-2d")]
    SinCos2d,
    /// The fixed sin-cos table of clipa_jax: frequencies 10000^(-k/(Q-1)).
    #[serde(rename = "sin-cos-2d-jax")]
    SinCos2dJax,
}

/// What a model is trained for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// CLIP's: a softmax over the texts of each image and over the images of each text.
    #[default]
    Clip,
    /// SigLIP's: a sigmoid for every image with every text, with a bias as a parameter (`logit_bias`).
    Siglip,
}

/// Whose token ids a text tower reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tokenizer {
    /// CLIP's BPE, 49,408 ids (v1).
    #[default]
    ClipBpe,
    /// BERT's uncased WordPiece, 30,522 ids in a table of 32,000 (v2).
    BertWordpiece,
    /// The same pieces in the rows of CLIPS and OpenVision: `[bos]` pieces `[eos]` padding `[CLS]`.
    BertWordpieceClips,
}

/// Which data set's pixel statistics normalise an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PixelStatistics {
    /// OpenAI's CLIP data (v1).
    #[default]
    Openai,
    /// ImageNet (v2).
    Imagenet,
}

/// A configuration that no model can be built from.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{key} = {value}: {why}")]
pub struct ModelConfigError {
    /// The key, as in the recipe.
    pub key: &'static str,
    /// Its value.
    pub value: i64,
    /// What is wrong with it.
    pub why: String,
}

impl Loss {
    /// Parameters beside the towers': the logit scale, and SigLIP's bias.
    pub fn parameters(self) -> i64 {
        match self {
            Loss::Clip => 1,
            Loss::Siglip => 2,
        }
    }

    fn is_clip(&self) -> bool {
        *self == Loss::Clip
    }
}

impl Tokenizer {
    /// Number of its ids, which are 0 up to this.
    pub fn ids(self) -> i64 {
        match self {
            Tokenizer::ClipBpe => 49_408,
            Tokenizer::BertWordpiece | Tokenizer::BertWordpieceClips => 30_522,
        }
    }

    /// The column of a data set that holds its pieces.
    pub fn column(self) -> &'static str {
        match self {
            Tokenizer::ClipBpe => "clip_bpe",
            Tokenizer::BertWordpiece | Tokenizer::BertWordpieceClips => "bert_wordpiece",
        }
    }
}

impl PixelStatistics {
    /// Mean of red, green, blue, in `[0, 1]`.
    pub fn mean(self) -> [f64; 3] {
        match self {
            PixelStatistics::Openai => [0.48145466, 0.4578275, 0.40821073],
            PixelStatistics::Imagenet => [0.485, 0.456, 0.406],
        }
    }

    /// Standard deviation of red, green, blue.
    pub fn std(self) -> [f64; 3] {
        match self {
            PixelStatistics::Openai => [0.26862954, 0.26130258, 0.27577711],
            PixelStatistics::Imagenet => [0.229, 0.224, 0.225],
        }
    }
}

impl ModelConfig {
    /// Activation of the text tower's MLPs.
    pub fn text_gelu(&self) -> Gelu {
        self.text.gelu.unwrap_or(self.gelu)
    }

    /// Checks that a model of these sizes can be built.
    ///
    /// # Errors
    /// The first key whose value cannot work.
    pub fn check(&self) -> Result<(), ModelConfigError> {
        let (vision, text) = (&self.vision, &self.text);
        for (key, value, limit) in [
            ("model.embed_dim", self.embed_dim, MAX_WIDTH),
            ("model.vision.width", vision.width, MAX_WIDTH),
            ("model.vision.layers", vision.layers, MAX_LAYERS),
            ("model.vision.heads", vision.heads, MAX_WIDTH),
            ("model.vision.mlp_width", vision.mlp_width, MAX_WIDTH),
            ("model.vision.patch_size", vision.patch_size, MAX_IMAGE_SIZE_PX),
            ("model.text.width", text.width, MAX_WIDTH),
            ("model.text.layers", text.layers, MAX_LAYERS),
            ("model.text.heads", text.heads, MAX_WIDTH),
            ("model.text.mlp_width", text.mlp_width, MAX_WIDTH),
            ("model.text.vocab_size", text.vocab_size, MAX_VOCABULARY),
        ] {
            in_range(key, value, limit)?;
        }
        divides("model.vision.heads", vision.heads, "width", vision.width)?;
        divides("model.text.heads", text.heads, "width", text.width)?;
        if vision.positions != VisionPositions::Learnable && vision.width % 8 != 0 {
            let why = "sin-cos positions need a width that 8 divides".to_owned();
            return Err(ModelConfigError { key: "model.vision.width", value: vision.width, why });
        }
        Ok(())
    }

    /// Checks that the token embedding has a row for every id of the tokenizer.
    ///
    /// # Errors
    /// A vocabulary that is too small.
    pub fn check_vocabulary(&self) -> Result<(), ModelConfigError> {
        let (value, ids) = (self.text.vocab_size, self.text.tokenizer.ids());
        if value >= ids {
            return Ok(());
        }
        let why = format!("its tokenizer has {ids} ids");
        Err(ModelConfigError { key: "model.text.vocab_size", value, why })
    }

    /// Checks that a stage's lengths fit this model.
    ///
    /// # Errors
    /// The length that does not, under the key of a recipe's stage.
    pub fn check_sizes(&self, sizes: InputSizes) -> Result<(), ModelConfigError> {
        in_range("image_size", sizes.image_size, MAX_IMAGE_SIZE_PX)?;
        in_range("context_length", sizes.context_length, i64::from(MAX_CONTEXT_LENGTH))?;
        divides("patch_size", self.vision.patch_size, "image_size", sizes.image_size)
    }

    /// Patches along one side of an image.
    pub fn grid_side(&self, sizes: InputSizes) -> i64 {
        sizes.image_size / self.vision.patch_size
    }

    /// Tokens of an image: all patches and the class token.
    pub fn image_tokens(&self, sizes: InputSizes) -> i64 {
        self.grid_side(sizes).pow(2) + 1
    }
}

fn in_range(key: &'static str, value: i64, limit: i64) -> Result<(), ModelConfigError> {
    if (1..=limit).contains(&value) {
        return Ok(());
    }
    Err(ModelConfigError { key, value, why: format!("it must lie in 1..={limit}") })
}

fn divides(
    key: &'static str,
    value: i64,
    whole: &str,
    amount: i64,
) -> Result<(), ModelConfigError> {
    if amount % value == 0 {
        return Ok(());
    }
    Err(ModelConfigError { key, value, why: format!("it must divide {whole} = {amount}") })
}

fn yes() -> bool {
    true
}

fn default_ln_eps() -> f64 {
    1e-5
}
