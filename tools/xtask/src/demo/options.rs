//! What the demo works on.

use clap::Args;
use std::path::{Path, PathBuf};

/// The default folder of everything that is written, in the repository root.
const DEFAULT_OUTPUT: &str = "demo";

/// What the demo works on, and where it writes.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct DemoOptions {
    /// Train on this img2dataset tar instead of drawn images; may be repeated. Accuracy is then
    /// reported only with --classes
    #[arg(long, value_name = "TAR")]
    pub(crate) input: Vec<PathBuf>,
    /// Evaluate on this set: a folder per class, or WebDataset tars with .cls
    #[arg(long, value_name = "DIR")]
    pub(crate) classes: Option<PathBuf>,
    /// Folder of everything that is written
    #[arg(long, value_name = "DIR", default_value = DEFAULT_OUTPUT)]
    pub(crate) output: PathBuf,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { input: Vec::new(), classes: None, output: PathBuf::from(DEFAULT_OUTPUT) }
    }
}

impl DemoOptions {
    /// The same with paths that hold in the repository root, where the commands run: a user's relative
    /// path starts at `here`, the default output in the repository.
    pub(super) fn located(&self, here: &Path, root: &Path) -> Self {
        if here == root {
            return self.clone();
        }
        let locate = |path: &PathBuf| here.join(path);
        let is_default = self.output == Path::new(DEFAULT_OUTPUT);
        Self {
            input: self.input.iter().map(locate).collect(),
            classes: self.classes.as_ref().map(locate),
            output: if is_default { self.output.clone() } else { locate(&self.output) },
        }
    }
}
