//! Which units are to be done: those without an entry, and those that may be made anew because what they were made from
//! has changed.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Result, anyhow};
use clipa_pool::in_order;
use clipa_schemas::{
    ledger::{Source, UnitEntry},
    manifest::entry_path,
};

use super::{
    content::recorded_name,
    pipeline::{FailedUnit, Input, PendingUnit},
    source::tar_changes,
};
use crate::{archive::ArchiveError, dataset::Output};
use clipa_talk::{Failure, Interrupted, Printer, printable, shell};

/// Units that a refusal names.
const NAMED: usize = 5;

/// The inputs of a run, sorted by what is to be done with them.
#[derive(Default)]
pub(super) struct Units {
    /// To be done.
    pub(super) pending: Vec<PendingUnit>,
    /// How many are done.
    pub(super) done: usize,
    /// Done, but what they were made from cannot be read now.
    pub(super) unreadable: Vec<FailedUnit>,
    /// How the user names the input of each unit.
    pub(super) shown: BTreeMap<u32, String>,
}

/// What a unit's input is, compared with its entry.
enum State {
    Same,
    /// The differences, in words.
    Changed(Vec<String>),
    Unreadable(ArchiveError),
}

/// Sorts the inputs. A unit is done where it has an entry and what it was made from is what it was
/// ([`super::content`]). Where that has changed, a unit whose entry notes problems is made anew: such is the way to
/// repair them.
///
/// # Errors
/// What other units were made from has changed (with the differences and the remedy), `stop` was set, or the output cannot
/// be written.
pub(super) fn units(
    inputs: Vec<Input>,
    output: &mut Output,
    threads: usize,
    printer: &Printer,
    stop: &AtomicBool,
) -> Result<Units> {
    let mut units = Units::default();
    let inputs: Vec<(u32, Input)> = inputs
        .into_iter()
        .enumerate()
        .map(|(unit, input)| Ok((u32::try_from(unit)?, input)))
        .collect::<Result<_>>()?;
    let progress =
        printer.progress("comparing inputs with what is done", "inputs", inputs.len() as u64);
    let states = in_order(&inputs, threads, |(unit, input)| {
        if stop.load(Ordering::Relaxed) {
            return Err(Interrupted("interrupted while inputs were compared; nothing was changed"));
        }
        let entry = output.done().get(unit);
        let state = entry.map(|entry| state(entry, input, output));
        progress.advance(1);
        Ok(state)
    })?;
    drop(progress);
    let (mut anew, mut refused) = (Vec::new(), Vec::new());
    for ((unit, input), state) in inputs.into_iter().zip(states) {
        units.shown.insert(unit, input.name());
        match state {
            Some(State::Same) => {
                units.done += 1;
                continue;
            }
            Some(State::Unreadable(error)) => {
                units.unreadable.push(FailedUnit { input: input.name(), error });
                continue;
            }
            Some(State::Changed(differences)) => {
                let entry = &output.done()[&unit];
                let what = format!("{}: {}", input.name(), differences.join(", "));
                if entry.problems.is_empty() || entry.revision() > 0 || is_another(entry, &input) {
                    refused.push((unit, what));
                } else {
                    printer.say(printable(&format!("doing unit {unit} anew: {what}")));
                    anew.push(unit);
                }
            }
            None => {}
        }
        let bytes = input_source(&input).bytes;
        units.pending.push(PendingUnit { unit, input, bytes });
    }
    if !refused.is_empty() {
        return Err(refusal(output, &refused));
    }
    output.forget(&anew)?;
    Ok(units)
}

fn state(entry: &UnitEntry, input: &Input, output: &Output) -> State {
    let now = input_source(input);
    if is_another(entry, input) {
        let Source { path, bytes } = &entry.source;
        return State::Changed(vec![format!("made from {path} ({bytes} bytes), not {}", now.path)]);
    }
    let written = output.written(entry);
    let changes = match input {
        Input::Tar(path) => tar_changes(path, &entry.made_from, written),
        Input::Open(source) => source.changes(&entry.made_from, written),
    };
    match changes {
        Ok(changes) if changes.is_empty() => State::Same,
        Ok(changes) => State::Changed(changes),
        Err(error) => State::Unreadable(error),
    }
}

/// Has the input another name than the one that the unit was made from?
fn is_another(entry: &UnitEntry, input: &Input) -> bool {
    entry.source.path != input_source(input).path
}

fn input_source(input: &Input) -> Source {
    match input {
        Input::Open(source) => source.source(),
        Input::Tar(path) => Source {
            path: recorded_name(path),
            bytes: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
        },
    }
}

fn refusal(output: &Output, refused: &[(u32, String)]) -> anyhow::Error {
    let dataset = output.dataset();
    let named: Vec<String> =
        refused.iter().take(NAMED).map(|(unit, what)| format!("unit {unit}: {what}")).collect();
    let more = match refused.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let error = anyhow!(
        "what {} holds was made from other inputs: {}{more}",
        dataset.display(),
        named.join("; ")
    );
    let entries = refused.iter().take(NAMED).map(|(unit, _)| entry_path(dataset, *unit));
    let is_edited = refused.iter().any(|(unit, _)| output.done()[unit].revision() > 0);
    let caution = if is_edited {
        " (rows were taken out of it since: making it anew brings them back unless --deny names them)"
    } else {
        ""
    };
    let hint = format!(
        "name the same inputs as before, or another --output; to make such a unit anew, remove its entry and run the \
         same command again: {}{caution}",
        shell::command_line([PathBuf::from("rm"), PathBuf::from("--")].into_iter().chain(entries))
    );
    Failure::new(error, hint).into()
}
