//! `clipa-train eval`.

use std::collections::BTreeMap;

use anyhow::Result;
use clipa_schemas::reduction::text::TextReduction;
use clipa_talk::{Outcome, Printer, printable};

use super::{
    arguments::{EvalArguments, Prompts},
    machine,
    train::refused,
};
use crate::{
    checkpoint::{self, Fit, Origin, Weights},
    eval::{ClassReport, ZeroShotReport, zero_shot},
    facts,
    model::{Clip, InputSizes},
    run,
};

/// Pairs of classes with one name that are shown.
const SHOWN_PAIRS: usize = 8;

pub(super) fn eval(arguments: &EvalArguments, printer: &Printer) -> Result<Outcome> {
    let resources = machine::settle(&arguments.machine)?;
    let file = Weights::from(arguments.weights).file(checkpoint::model_file(&arguments.run)?)?;
    Weights::note(&file).inspect(|note| printer.say(note));
    let recipe = run::recipe_of(&arguments.run)?;
    refused(run::unfinished_data(&arguments.data)?, arguments.allow_unfinished)?
        .inspect(|note| printer.warn(printable(note)));
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
    run::check_context(&recipe, &stage, "context_length")?;
    let advice = facts::advice(&file, &recipe, recipe.stage(&trained)?, |_| false)?;
    advice.notes.iter().for_each(|note| printer.warn(printable(note)));
    if let Some(origin) = Origin::of(&file)?.filter(|origin| !origin.is_finished()) {
        printer.say(format!("the weights are of {}", origin.progress()));
    }
    // Positions that were fixed in training are fixed here, at whatever size.
    let config = recipe.stage(&trained)?.model(&recipe.model);
    let model = Clip::new(&config, sizes, 0, resources.device)?;
    checkpoint::load_model(&model, checkpoint::tensors::read(&file)?, Fit::Resize, &file)?;
    let mut stream = run::stream_config(&recipe, &stage, resources.workers);
    stream.batch = arguments.batch;
    let report = zero_shot(&model, &arguments.data, stream, stage.precision)?;
    for line in equal_names(&report.classes) {
        printer.warn(line);
    }
    print(&report, arguments, printer)?;
    Ok(Outcome::Fine)
}

/// A line for classes that no prompt tells apart: all but the first are never predicted.
fn equal_names(classes: &[ClassReport]) -> Vec<String> {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for ClassReport { class, name, .. } in classes {
        let earlier = *first.entry(name).or_insert(*class);
        if earlier != *class {
            let name = printable(name);
            lines.push(format!("classes {earlier} and {class} have equal names, `{name}`: the figures of both are low"));
        }
    }
    let more = lines.len().saturating_sub(SHOWN_PAIRS);
    lines.truncate(SHOWN_PAIRS);
    lines.extend((more > 0).then(|| format!("and {more} more pairs of equal class names")));
    lines
}

fn print(report: &ZeroShotReport, arguments: &EvalArguments, printer: &Printer) -> Result<()> {
    if arguments.json {
        return Ok(printer.json(&report.to_json(arguments.per_class))?);
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

fn class_line(class: &ClassReport, width: usize) -> String {
    let name = printable(&class.name);
    let held_out = if class.held_out == Some(true) { "  held out" } else { "" };
    format!("  {:>4}  {name:<width$}  {}{held_out}", class.class, class.hits)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::Parser;

    use super::*;
    use crate::{
        cli::{Arguments, Command, run},
        eval::{EvalError, Hits},
    };

    /// What a terminal would obey, and what would pass for a line of the program's own.
    const EVIL: &str = "red\u{1b}[2J\u{9b}31m\u{202e}\u{7}\r\nhint: sh evil.sh";

    fn is_harmless(text: &str) -> bool {
        let mut letters = text.chars();
        !letters.any(|c| (c.is_control() && c != '\n') || c == '\u{202e}')
            && !text.lines().any(|line| line.starts_with("hint: sh"))
    }

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::parse_from([&["clipa-train"], words].concat())
    }

    #[test]
    fn nothing_from_data_steers_the_terminal() {
        let class = ClassReport {
            class: 0,
            name: EVIL.to_owned(),
            held_out: None,
            hits: Hits { samples: 1, top1: 1, top5: 1 },
        };
        let report = ZeroShotReport {
            image_size: 32,
            context_length: 8,
            text_reduction: TextReduction::Truncate,
            prompts: 1,
            chance: 1.0,
            all: class.hits,
            held_out: None,
            classes: vec![class],
        };
        for json in [&[][..], &["--json"]] {
            let words = [&["eval", "--run", "r", "--data", "d", "--per-class"], json].concat();
            let Command::Eval(asked) = arguments(&words).command else { unreachable!() };
            let (printer, captured) = Printer::captured();
            print(&report, &asked, &printer).unwrap();
            let data = captured.data();
            assert!(data.contains("red") && is_harmless(&data), "{data:?}");
        }
        let (printer, captured) = Printer::captured();
        let (path, prompt) = (PathBuf::from("set"), EVIL.to_owned());
        printer.error(&EvalError::Token { path, prompt, token: 7 }.into());
        assert!(captured.talk().contains("prompt `red") && is_harmless(&captured.talk()));
    }

    #[test]
    fn nor_does_a_path() {
        let words = ["eval", "--run", "a\u{1b}[2Jrun", "--data", "d", "--device", "cpu"];
        let (printer, captured) = Printer::captured();
        let outcome = run(&arguments(&words), &printer);
        printer.exit(outcome);
        let talk = captured.talk();
        assert!(talk.starts_with("error: a[2Jrun: no such run or file\nhint: "), "{talk:?}");
    }
}
