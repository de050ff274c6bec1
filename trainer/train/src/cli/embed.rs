//! `clipa-train embed`.

use anyhow::Result;
use clipa_talk::{Outcome, Printer, figures};

use super::{
    arguments::EmbedArguments,
    machine,
    reading::{Loaded, sets, warn_of_small_images},
};
use crate::eval;

pub(super) fn embed(arguments: &EmbedArguments, printer: &Printer) -> Result<Outcome> {
    let EmbedArguments { run, data, output, reading, machine } = arguments;
    let resources = machine::settle(machine)?;
    let sets = sets(std::slice::from_ref(data), false, reading.allow_unfinished, printer)?;
    let loaded = Loaded::open(run, reading, resources, printer)?;
    for set in &sets {
        warn_of_small_images(set, &loaded.reading, printer)?;
        let about = loaded.about()?;
        let written = eval::embed(&loaded.model, set, &loaded.reading, output, &about)?;
        if written.with_more_captions > 0 {
            printer.warn(format!(
                "{} more than one caption: the first is embedded",
                match written.with_more_captions {
                    1 => "1 image has".to_owned(),
                    many => format!("{} images have", figures::count(many)),
                }
            ));
        }
        let rows = figures::counted(written.rows, "sample");
        let width = loaded.model.config().embed_dim;
        printer.say(format!("{}: {rows}, embeddings of {width} numbers", output.display()));
    }
    Ok(Outcome::Fine)
}
