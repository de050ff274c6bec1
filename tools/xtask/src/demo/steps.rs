//! The demo's steps as data: name, program, arguments, and what is kept of the output.

use super::options::DemoOptions;
use crate::child;
use clipa_talk::shell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The recipe that learns on two cores in minutes.
const RECIPE: &str = "tiny-i17-t8";

/// One command of the demo.
pub(super) struct Step {
    /// Short and unique; the record of a done step has this name.
    pub(super) name: &'static str,
    /// What happens, for the reader.
    pub(super) phrase: &'static str,
    program: &'static str,
    arguments: Vec<String>,
    /// The file that takes the program's stdout.
    pub(super) saves: Option<PathBuf>,
    /// The run folder that an interrupted attempt leaves; where it exists, `--resume` continues it.
    resumes: Option<PathBuf>,
    /// The file that the program writes and would not overwrite.
    pub(super) makes: Option<PathBuf>,
}

/// A step that has been done, now or by an earlier run.
pub(super) struct DoneStep {
    pub(super) step: Step,
    pub(super) took: Duration,
}

/// Every step for these options, in order.
pub(super) fn plan(options: &DemoOptions) -> Vec<Step> {
    let place = |name: &str| options.output.join(name);
    let drawn = options.input.is_empty();
    let mut steps = Vec::new();
    if drawn {
        let drawing = Step::new("synth", "draw images with captions", "clipa-prep")
            .words(["synth"])
            .option("--output", &place("synth"));
        steps.push(drawing);
    }
    let inputs = if drawn { vec![place("synth/train")] } else { options.input.clone() };
    steps.push(
        Step::new("ingest", "images and captions to Parquet shards", "clipa-prep")
            .words(["laion", "ingest"])
            .paths(&inputs)
            .words(["--for", RECIPE])
            .option("--output", &place("pairs")),
    );
    let classes = options.classes.clone().or_else(|| drawn.then(|| place("synth/classes")));
    if let Some(classes) = &classes {
        let ingest = Step::new("classes", "the zero-shot set to Parquet shards", "clipa-prep")
            .words(["classes", "ingest"])
            .paths(std::slice::from_ref(classes))
            .words(["--for", RECIPE])
            .option("--output", &place("classes"));
        steps.push(ingest);
    }
    steps.push(
        Step::new("pretrain", "pre-train on short token sequences", "clipa-train")
            .words(["pretrain", "--recipe", RECIPE])
            .option("--data", &place("pairs"))
            .resumable_output(&place("pretrain")),
    );
    if classes.is_some() {
        steps.push(evaluation("eval-pretrain", "classify with it", &place("pretrain"), options));
    }
    steps.push(
        Step::new("finetune", "fine-tune at full length", "clipa-train")
            .words(["finetune", "--recipe", RECIPE])
            .option("--from", &place("pretrain"))
            .option("--data", &place("pairs"))
            .resumable_output(&place("finetune")),
    );
    if classes.is_some() {
        steps.push(evaluation("eval-finetune", "classify again", &place("finetune"), options));
    }
    steps.push(
        Step::new("grid", "a contact sheet of the shards", "clipa-inspect")
            .words(["grid"])
            .paths(&[place("pairs")])
            .output_file(&place("sheet.png")),
    );
    steps.push(
        Step::new("summary", "what the data set holds", "clipa-inspect")
            .words(["summary"])
            .paths(&[place("pairs")])
            .saves(place("summary.txt")),
    );
    steps
}

fn evaluation(name: &'static str, phrase: &'static str, run: &Path, options: &DemoOptions) -> Step {
    Step::new(name, phrase, "clipa-train")
        .words(["eval"])
        .option("--run", run)
        .option("--data", &options.output.join("classes"))
        .words(["--json"])
        .saves(options.output.join(name).with_extension("json"))
}

impl Step {
    fn new(name: &'static str, phrase: &'static str, program: &'static str) -> Self {
        let arguments = Vec::new();
        Self { name, phrase, program, arguments, saves: None, resumes: None, makes: None }
    }

    fn words<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.arguments.extend(words.map(str::to_owned));
        self
    }

    fn paths(mut self, paths: &[PathBuf]) -> Self {
        self.arguments.extend(paths.iter().map(|path| path.to_string_lossy().into_owned()));
        self
    }

    fn option(self, option: &str, path: &Path) -> Self {
        let path = path.to_string_lossy();
        self.words([option, &path])
    }

    fn resumable_output(self, path: &Path) -> Self {
        Self { resumes: Some(path.to_path_buf()), ..self.option("--output", path) }
    }

    fn output_file(self, path: &Path) -> Self {
        Self { makes: Some(path.to_path_buf()), ..self.option("--output", path) }
    }

    fn saves(self, file: PathBuf) -> Self {
        Self { saves: Some(file), ..self }
    }

    /// The command, to run in the repository root.
    pub(super) fn command(&self, root: &Path) -> Command {
        let mut command = self.undisturbed_command();
        command.current_dir(root);
        if self.resumes.as_ref().is_some_and(|folder| root.join(folder).exists()) {
            command.arg("--resume");
        }
        command
    }

    fn undisturbed_command(&self) -> Command {
        let mut command = Command::new(Path::new("target/release").join(self.program));
        command.args(&self.arguments);
        command
    }

    /// The command as a user would type it in the repository root.
    pub(super) fn line(&self) -> String {
        let line = child::line(&self.undisturbed_command());
        match &self.saves {
            Some(file) => format!("{line} > {}", shell::quoted(file)),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(options: &DemoOptions) -> Vec<&'static str> {
        plan(options).iter().map(|step| step.name).collect()
    }

    #[test]
    fn a_drawn_set_is_evaluated_before_and_after_fine_tuning() {
        let expected = [
            "synth",
            "ingest",
            "classes",
            "pretrain",
            "eval-pretrain",
            "finetune",
            "eval-finetune",
            "grid",
            "summary",
        ];
        assert_eq!(names(&DemoOptions::default()), expected);
    }

    #[test]
    fn ones_own_tars_are_evaluated_only_on_ones_own_classes() {
        let input = vec![PathBuf::from("a.tar"), PathBuf::from("b.tar")];
        let mut options = DemoOptions { input, ..DemoOptions::default() };
        assert!(!names(&options).iter().any(|name| name.starts_with("eval") || *name == "synth"));
        options.classes = Some("mine".into());
        let plan = plan(&options);
        let lines: Vec<String> = plan.iter().map(Step::line).collect();
        assert!(lines.iter().any(|line| line.contains("laion ingest a.tar b.tar ")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("classes ingest mine ")), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains(" eval ")).count(), 2, "{lines:?}");
    }
}
