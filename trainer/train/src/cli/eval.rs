//! `clipa-train eval`.

use std::process::ExitCode;

use anyhow::Result;
use clipa_schemas::reduction::text::TextReduction;

use super::{
    arguments::{EvalArguments, Prompts},
    machine,
    printer::Printer,
};
use crate::{
    checkpoint::{self, Fit},
    eval::{ClassReport, ZeroShotReport, zero_shot},
    model::{Clip, InputSizes},
    run,
};

pub(super) fn eval(arguments: &EvalArguments, printer: &Printer) -> Result<ExitCode> {
    let resources = machine::settle(&arguments.machine)?;
    let file = checkpoint::model_file(&arguments.run)?;
    let recipe = run::recipe_of(&arguments.run)?;
    let state = file.with_file_name(checkpoint::STATE);
    let trained = checkpoint::State::read(&state)?.stage;
    let mut stage = recipe.stage(arguments.stage.as_deref().unwrap_or(&trained))?.clone();
    let sizes = InputSizes {
        image_size: arguments.image_size.unwrap_or(stage.image_size),
        context_length: arguments.context_length.unwrap_or(stage.context_length),
    };
    (stage.image_size, stage.context_length) = (sizes.image_size, sizes.context_length);
    if arguments.prompts == Prompts::Full {
        stage.text_reduction = TextReduction::Truncate;
    }
    if arguments.strip_sep_token {
        stage.strip_sep_token = true;
        recipe.check_tokenizer(&stage)?;
    }
    // Positions that were fixed in training are fixed here, at whatever size.
    let config = recipe.stage(&trained)?.model(&recipe.model);
    let model = Clip::new(&config, sizes, 0, resources.device)?;
    checkpoint::load_model(&model, checkpoint::tensors::read(&file)?, Fit::Resize, &file)?;
    let mut stream = run::stream_config(&recipe, &stage, resources.workers);
    stream.batch = arguments.batch;
    let report = zero_shot(&model, &arguments.data, stream, stage.precision)?;
    print(&report, arguments, printer)?;
    Ok(ExitCode::SUCCESS)
}

fn print(report: &ZeroShotReport, arguments: &EvalArguments, printer: &Printer) -> Result<()> {
    if arguments.json {
        printer.data(serde_json::to_string_pretty(&report.to_json(arguments.per_class))?);
        return Ok(());
    }
    printer.data(report.to_string().trim_end());
    if arguments.per_class {
        let width =
            report.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0);
        for class in &report.classes {
            printer.data(class_line(class, width));
        }
    }
    Ok(())
}

/// Names come from data: control characters would reach the terminal.
fn class_line(class: &ClassReport, width: usize) -> String {
    let name: String =
        class.name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let held_out = if class.held_out == Some(true) { "  held out" } else { "" };
    format!("  {:>4}  {name:<width$}  {}{held_out}", class.class, class.hits)
}
