//! Which of a checkpoint's two kinds of weights is meant.

use std::path::{Path, PathBuf};

use super::{CheckpointError, EMA, MODEL};

/// The weights of a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// Those that training goes on with.
    #[default]
    Raw,
    /// Their moving average.
    Average,
}

impl Weights {
    /// Name of the file in a checkpoint.
    pub fn name(self) -> &'static str {
        match self {
            Weights::Raw => MODEL,
            Weights::Average => EMA,
        }
    }

    /// The file of this kind, where `file` is what [`super::model_file`] found.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`] where an average is asked for and there is none.
    pub fn file(self, file: PathBuf) -> Result<PathBuf, CheckpointError> {
        if self == Weights::Raw {
            return Ok(file);
        }
        let average = file.with_file_name(EMA);
        if average.is_file() {
            return Ok(average);
        }
        let detail = format!("there is no {EMA} beside it: its stage had no `ema`");
        Err(CheckpointError::Missing { path: file, detail })
    }

    /// What a person should know of the choice: which of two there are was taken. `None` where there is one kind only.
    pub fn note(file: &Path) -> Option<String> {
        let name = file.file_name()?.to_str()?;
        let has_average = file.with_file_name(EMA).is_file();
        match name {
            EMA => Some("the weights are the moving average (ema)".to_owned()),
            MODEL if has_average => {
                let said = "the weights are the raw ones; --weights ema takes their moving average";
                Some(said.to_owned())
            }
            _ => None,
        }
    }
}
