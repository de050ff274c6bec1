//! The data set that a command looks at.

use std::path::Path;

use crate::{InspectError, dataset::Dataset};
use clipa_talk::{Printer, figures::counted};

/// Opens a data set; one that is still being made is shown as far as it has come.
pub(super) fn open(folder: &Path, printer: &Printer) -> Result<Dataset, InspectError> {
    let dataset = Dataset::open(folder)?;
    if !dataset.manifest.complete {
        printer.warn(format!(
            "{} is not complete: {} finished so far",
            folder.display(),
            counted(dataset.units.len() as u64, "unit")
        ));
        printer.hint("run the same ingest again to continue it");
    }
    Ok(dataset)
}
