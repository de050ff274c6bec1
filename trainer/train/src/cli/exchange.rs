//! `clipa-train export` and `clipa-train import`.

use std::path::Path;

use anyhow::{Result, anyhow};
use clipa_recipe::Recipe;
use clipa_talk::{Outcome, Printer, WithHint, figures, printable};

use super::{
    arguments::{ExportArguments, ExportFormat, ImportArguments},
    recipes,
};
use crate::{
    exchange::{Description, Export, Target, TokenizerFiles, Weights},
    run,
};

/// Writes a run's weights for another program.
pub(super) fn export(arguments: &ExportArguments, printer: &Printer) -> Result<Outcome> {
    Export::check_output(&arguments.output)?;
    let weights = Weights::read(&arguments.from)?;
    let tokenizer = match &arguments.bert_vocab {
        _ if arguments.without_tokenizer => TokenizerFiles::None,
        Some(path) => TokenizerFiles::Vocabulary(path.clone()),
        None => TokenizerFiles::Beside,
    };
    let target = match arguments.to {
        ExportFormat::OpenClip => Target::OpenClip { tokenizer },
        ExportFormat::HuggingFace => Target::HuggingFace,
    };
    let export = Export::plan(&weights, target)?;
    describe(&weights, printer);
    for difference in &export.differences {
        printer.warn(printable(difference));
    }
    write(&export, &arguments.output, arguments.dry_run, printer)?;
    if !arguments.dry_run && arguments.to == ExportFormat::OpenClip {
        printer.say(format!("open_clip reads it as local-dir:{}", arguments.output.display()));
    }
    Ok(Outcome::Fine)
}

/// Converts other programs' weights into open_clip's form.
pub(super) fn import(arguments: &ImportArguments, printer: &Printer) -> Result<Outcome> {
    Export::check_output(&arguments.output)?;
    let from = &arguments.from;
    if from.join(run::IDENTITY).is_file() {
        let error =
            anyhow!("{} is a run of clipa-train, whose weights need no import", from.display());
        return Err(error).hint(
            "name it with --from or --run; `clipa-train export` writes it for other programs",
        );
    }
    let recipe = match &arguments.recipe {
        Some(name) => Some(described(name, arguments.stage.as_deref())?),
        None => None,
    };
    let description = Description { config: arguments.config.clone(), recipe };
    let weights = Weights::foreign(from, &description)?;
    describe(&weights, printer);
    if let Some(moments) = &weights.moments {
        printer.say(format!(
            "moments     of every trained parameter, after {}",
            figures::counted(moments.steps, "step")
        ));
    }
    let target = Target::OpenClip { tokenizer: TokenizerFiles::BesideIfAny };
    let export = Export::plan(&weights, target)?;
    write(&export, &arguments.output, arguments.dry_run, printer)?;
    if !arguments.dry_run {
        let output = arguments.output.display();
        printer.say(format!("`finetune --from {output}` and `eval --run {output}` take it"));
    }
    Ok(Outcome::Fine)
}

/// The recipe and the stage that describe bare weights.
fn described(name: &str, stage: Option<&str>) -> Result<(Recipe, String)> {
    let recipe = Recipe::load(name, &[], None)?;
    let last = recipe.stages.last().map(|stage| stage.name.clone()).unwrap_or_default();
    let stage = recipe.stage(stage.unwrap_or(&last))?.name.clone();
    Ok((recipe, stage))
}

/// What was read.
fn describe(weights: &Weights, printer: &Printer) {
    let stage = weights.stage();
    let cost = clipa_recipe::model::cost::Cost::new(
        &weights.recipe.model,
        stage.sizes(),
        stage.kept_patches(&weights.recipe.model),
    );
    printer.say(format!("weights     {}", weights.file.display()));
    printer.say(format!("model       {}", recipes::model_line(&cost)));
    printer
        .say(format!("sizes       {} px, {} text tokens", stage.image_size, stage.context_length));
    for note in &weights.notes {
        printer.warn(printable(note));
    }
}

fn write(export: &Export<'_>, output: &Path, dry_run: bool, printer: &Printer) -> Result<()> {
    let bytes = figures::bytes(export.bytes());
    if dry_run {
        printer
            .say(format!("dry run: {} with {bytes} of weights was not written", output.display()));
        return Ok(());
    }
    export.write(output)?;
    printer.say(format!("written     {}, {bytes} of weights", output.display()));
    Ok(())
}
