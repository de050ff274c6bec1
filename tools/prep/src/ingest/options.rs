//! What an ingest was asked to do, checked, and how that enters the manifest.

use std::{collections::BTreeMap, sync::Arc};

use clipa_schemas::{
    file::sha256_hex,
    image_column::ImageColumn,
    manifest::{Kind, Manifest},
    shard::ShardLayout,
};

use crate::{
    image::{DecodeLimits, RenderError, RenderOptions, RenderPlan},
    lists::List,
};
use clipa_text::TextConfig;

/// Program and version in every manifest: output bytes are a function of it.
pub const CREATED_BY: &str = concat!("clipa-prep ", env!("CARGO_PKG_VERSION"));

/// Everything that the rows depend on besides the input.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Pairs, or a classification set.
    pub kind: Kind,
    /// The classes of a classification set; other labels are rejected.
    pub classes: Option<ClassNumbers>,
    /// Image columns, in file order.
    pub images: Vec<ImageColumn>,
    /// Long side over short side at which an image is cropped to its centre.
    pub max_aspect: f64,
    /// Quality of JPEGs that have to be encoded, 1-100.
    pub jpeg_quality: u8,
    /// Cut off white borders of img2dataset's `border` mode.
    pub unpad: bool,
    /// Limits on what is decoded.
    pub limits: DecodeLimits,
    /// What is left out.
    pub filter: Filter,
    /// Repairs, by name, that are not made: the sample is rejected instead. Sorted.
    pub refused: Vec<&'static str>,
    /// Tokenizers and tagger.
    pub text: TextConfig,
}

/// How the labels of a classification set become classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassNumbers {
    /// Number of classes.
    pub classes: u32,
    /// The label of class 0.
    pub first_label: u32,
    /// Class of each folder, where classes are folders.
    pub folders: Vec<(String, u32)>,
}

impl ClassNumbers {
    /// The class of a label; `None` where there is no such class.
    pub fn class_of(&self, label: u32) -> Option<u32> {
        label.checked_sub(self.first_label).filter(|&class| class < self.classes)
    }

    /// What the rows depend on, by the names of its settings.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![("classes", self.classes.to_string())];
        if self.first_label != 0 {
            settings.push(("first-label", self.first_label.to_string()));
        }
        if !self.folders.is_empty() {
            let lines = self.folders.iter().map(|(folder, class)| format!("{class} {folder}\n"));
            let text: String = lines.collect();
            settings.push(("class-folders", sha256_hex(text.as_bytes())));
        }
        settings
    }
}

/// Samples that are left out on request; the default leaves nothing out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Nothing but what is listed is kept.
    pub allow: Option<Arc<List>>,
    /// What is listed is not kept, and leaves neither URL nor caption.
    pub deny: Option<Arc<List>>,
    /// Languages that are kept, in lower case; of samples without one see `drop_missing`. Empty: all.
    pub languages: Vec<String>,
    /// Width times height of the image on the web (of the picture, where that is not known), in pixels, at least.
    pub min_area: Option<u64>,
    /// Short side of the same, in pixels, at least.
    pub min_side: Option<u32>,
    /// Long side over short side, at most.
    pub max_aspect: Option<f64>,
    /// Words of the caption, at least.
    pub min_words: Option<u32>,
    /// Words of the caption, at most.
    pub max_words: Option<u32>,
    /// Characters of the caption, at least.
    pub min_chars: Option<u32>,
    /// Characters of the caption, at most.
    pub max_chars: Option<u32>,
    /// Similarity of image and caption, at least; of samples without one see `drop_missing`.
    pub min_similarity: Option<f64>,
    /// Probability of unsafe content, at most; of samples without one see `drop_missing`.
    pub max_punsafe: Option<f64>,
    /// Probability of a watermark, at most; of samples without one see `drop_missing`.
    pub max_pwatermark: Option<f64>,
    /// NSFW verdicts that are left out.
    pub drop_nsfw: Vec<String>,
    /// Samples that lack a value which a filter or list asks for are left out; otherwise they stay, and are counted.
    pub drop_missing: bool,
}

impl IngestOptions {
    /// The columns of the shards.
    pub fn layout(&self) -> ShardLayout {
        ShardLayout { images: self.images.clone(), tokens: self.text.token_columns() }
    }

    /// How images are rendered.
    ///
    /// # Errors
    /// An option is out of its range.
    pub fn render_plan(&self) -> Result<RenderPlan, RenderError> {
        let options =
            RenderOptions { max_aspect: self.max_aspect, jpeg_quality: self.jpeg_quality };
        RenderPlan::new(&self.images, options)
    }

    /// The manifest of a run with these options; `text` names tokenizers and tagger with their hashes.
    pub fn manifest(&self, text: &BTreeMap<String, String>) -> Manifest {
        let mut configuration = text.clone();
        let mut set = |key: &str, value: String| configuration.insert(key.to_owned(), value);
        let images: Vec<String> = self.images.iter().map(ToString::to_string).collect();
        set("image", images.join(","));
        set("max-aspect", self.max_aspect.to_string());
        set("jpeg-quality", self.jpeg_quality.to_string());
        set("unpad", self.unpad.to_string());
        set("max-image-bytes", self.limits.max_bytes.to_string());
        set("max-pixels", self.limits.max_pixels.to_string());
        set("max-side", self.limits.max_side_px.to_string());
        if !self.refused.is_empty() {
            set("refuse", self.refused.join(","));
        }
        for (key, value) in self.filter.settings() {
            set(key, value);
        }
        for (key, value) in self.classes.iter().flat_map(ClassNumbers::settings) {
            set(key, value);
        }
        Manifest::begin(
            CREATED_BY,
            self.kind,
            configuration,
            self.images.clone(),
            self.text.token_columns(),
            self.text.is_tagged(),
        )
    }
}

impl Filter {
    /// The filters that are on, by the names of their options.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let files = |list: &Option<Arc<List>>| Some(list.as_ref()?.files_sha256().join(","));
        let languages = (!self.languages.is_empty()).then(|| self.languages.join(","));
        let drop_nsfw = (!self.drop_nsfw.is_empty()).then(|| self.drop_nsfw.join(","));
        [
            ("allow", files(&self.allow)),
            ("deny", files(&self.deny)),
            ("language", languages),
            ("min-area", self.min_area.map(|value| value.to_string())),
            ("min-side", self.min_side.map(|value| value.to_string())),
            ("drop-aspect", self.max_aspect.map(|value| value.to_string())),
            ("min-words", self.min_words.map(|value| value.to_string())),
            ("max-words", self.max_words.map(|value| value.to_string())),
            ("min-chars", self.min_chars.map(|value| value.to_string())),
            ("max-chars", self.max_chars.map(|value| value.to_string())),
            ("min-similarity", self.min_similarity.map(|value| value.to_string())),
            ("max-punsafe", self.max_punsafe.map(|value| value.to_string())),
            ("max-pwatermark", self.max_pwatermark.map(|value| value.to_string())),
            ("drop-nsfw", drop_nsfw),
            ("drop-missing", self.drop_missing.then(|| "true".to_owned())),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }
}
