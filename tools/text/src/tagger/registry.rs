//! The taggers by name. No other file names an implementation: a new tagger is a module and a row of [`TAGGERS`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use clipa_pool::lock;

use super::error::TaggerError;
use super::nltk::NltkTagger;
use super::perceptron::PerceptronTagger;
use super::plugin::Tagger;

pub use super::perceptron::{Round, Training, train as train_perceptron};

/// A tagger and how it is opened.
struct Row {
    name: &'static str,
    /// Whether the name is followed by `:DIR`.
    from_directory: bool,
    code: Code,
}

/// Opens a tagger from its DIR; the path is empty for a tagger without one.
pub type OpenTagger = fn(&Path) -> Result<Arc<dyn Tagger>, TaggerError>;

/// Where a tagger's code is.
enum Code {
    /// In this crate.
    Here(OpenTagger),
    /// In a crate of its own, which a program installs or not.
    PlugIn {
        /// What it brings into the program.
        needs: &'static str,
        /// The feature of cargo that builds it.
        feature: &'static str,
    },
}

/// Plug-ins by name.
static INSTALLED: Mutex<Vec<(&'static str, OpenTagger)>> = Mutex::new(Vec::new());

/// Brings the code of a tagger of another crate into the program, by the name that the table has for it.
pub fn install(name: &'static str, open: OpenTagger) {
    lock(&INSTALLED).push((name, open));
}

/// All taggers; the first one is the default.
static TAGGERS: [Row; 3] = [
    Row {
        name: "perceptron",
        from_directory: false,
        code: Code::Here(|_| Ok(Arc::new(PerceptronTagger::embedded()?))),
    },
    Row {
        name: "nltk",
        from_directory: true,
        code: Code::Here(|directory| Ok(Arc::new(NltkTagger::open(directory)?))),
    },
    Row {
        name: "bert",
        from_directory: true,
        code: Code::PlugIn { needs: "libtorch", feature: "clipa-prep/bert" },
    },
];

/// The value for no tagger.
const NONE: &str = "none";

impl Row {
    fn open(&self, directory: &Path) -> Result<Arc<dyn Tagger>, TaggerError> {
        match self.code {
            Code::Here(open) => open(directory),
            Code::PlugIn { needs, feature } => {
                let open =
                    lock(&INSTALLED).iter().find(|plug_in| plug_in.0 == self.name).map(|p| p.1);
                let open = open.ok_or(TaggerError::NotBuilt { name: self.name, needs, feature })?;
                open(directory)
            }
        }
    }
}

/// The perceptron with weights that [`train_perceptron`] returned.
///
/// # Errors
/// [`TaggerError::Weights`] where the bytes are something else, or damaged.
pub fn perceptron_with_weights(weights: &[u8]) -> Result<Arc<dyn Tagger>, TaggerError> {
    Ok(Arc::new(PerceptronTagger::from_bytes(weights)?))
}

/// Which tagger cuts captions into words and tags them: `perceptron` (inside the binary), `nltk:DIR` (NLTK's JSON weights
/// and Punkt tables), `bert:DIR` (configuration, vocabulary and weights; needs clipa-prep's feature `bert`) or `none`.
///
/// ```
/// use clipa_text::tagger::{TagBuffers, TaggerChoice};
/// use clipa_text::words::Words;
/// let choice: TaggerChoice = "perceptron".parse().unwrap();
/// let tagger = choice.open().unwrap().unwrap();
/// let (mut buffers, mut words, mut tags) = (TagBuffers::default(), Words::default(), Vec::new());
/// tagger.words("A dog sleeps in the old park.", &mut buffers, &mut words);
/// tagger.tag(&words, &mut buffers, &mut tags);
/// let tags: Vec<_> = tags.iter().map(|tag| tag.name()).collect();
/// assert_eq!(tags, ["DT", "NN", "VBZ", "IN", "DT", "JJ", "NN", "."]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggerChoice {
    name: &'static str,
    /// Empty for a tagger without one.
    directory: PathBuf,
}

impl TaggerChoice {
    /// No words and no tags; the syntax mask is then not available.
    pub fn none() -> TaggerChoice {
        TaggerChoice { name: NONE, directory: PathBuf::new() }
    }

    /// Whether this is [`TaggerChoice::none`].
    pub fn is_none(&self) -> bool {
        self.name == NONE
    }

    /// The tagger's name without its directory.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Loads the tagger; `None` for [`TaggerChoice::none`].
    ///
    /// # Errors
    /// [`TaggerError`], with the file: missing, unreadable, damaged or of something else.
    pub fn open(&self) -> Result<Option<Arc<dyn Tagger>>, TaggerError> {
        let row = TAGGERS.iter().find(|row| row.name == self.name);
        row.map(|row| row.open(&self.directory)).transpose()
    }
}

impl Default for TaggerChoice {
    fn default() -> Self {
        TaggerChoice { name: TAGGERS[0].name, directory: PathBuf::new() }
    }
}

impl FromStr for TaggerChoice {
    type Err = TaggerError;

    fn from_str(text: &str) -> Result<Self, TaggerError> {
        if text == NONE {
            return Ok(TaggerChoice::none());
        }
        let (name, directory) = match text.split_once(':') {
            Some((name, directory)) => (name, Some(directory).filter(|path| !path.is_empty())),
            None => (text, None),
        };
        // `perceptron:` has no directory, but is not `perceptron`.
        let plain = !text.contains(':');
        let row = TAGGERS.iter().find(|row| {
            row.name == name && if row.from_directory { directory.is_some() } else { plain }
        });
        match row {
            Some(row) => {
                Ok(TaggerChoice { name: row.name, directory: directory.unwrap_or_default().into() })
            }
            None => Err(TaggerError::Unknown { given: text.to_owned(), known: known() }),
        }
    }
}

impl fmt::Display for TaggerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.directory.as_os_str().is_empty() {
            return Ok(());
        }
        write!(f, ":{}", self.directory.display())
    }
}

/// The accepted values in a sentence: `a, b:DIR and none`.
fn known() -> String {
    let directory = |row: &Row| if row.from_directory { ":DIR" } else { "" };
    let names: Vec<String> =
        TAGGERS.iter().map(|row| format!("{}{}", row.name, directory(row))).collect();
    format!("{} and {NONE}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_printed_as_it_is_parsed() {
        for name in ["perceptron", "none", "nltk:/some/folder", "bert:a folder", "nltk:c:d"] {
            assert_eq!(name.parse::<TaggerChoice>().unwrap().to_string(), name);
        }
        assert_eq!(TaggerChoice::default().to_string(), "perceptron");
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let names =
            ["", "nltk", "nltk:", "Perceptron", "bert:", "perceptron:", "perceptron:x", "none:x"];
        for name in names {
            let error = name.parse::<TaggerChoice>().unwrap_err().to_string();
            let known = "there are perceptron, nltk:DIR, bert:DIR and none";
            assert_eq!(error, format!("no tagger is called {name:?}; {known}"));
        }
    }

    #[test]
    fn a_folder_without_the_files_is_named_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let error = |name: &str| {
            let choice = format!("{name}:{}", folder.path().display());
            choice.parse::<TaggerChoice>().unwrap().open().err().unwrap().to_string()
        };
        let nltk = error("nltk");
        assert!(nltk.contains("weights.json") && nltk.contains("hint:"), "{nltk}");
        assert!(error("bert").contains("hint:"));
    }
}
