//! The model card: what a folder holds, where it comes from, and what the other program does otherwise.

use clipa_talk::{figures, printable};

use super::weights::Weights;
use crate::model::specify;

/// Name of the card.
pub(super) const CARD: &str = "README.md";

/// Which program the folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    OpenClip,
    HuggingFace,
}

/// The card's Markdown. It holds no time, host or path: equal weights have equal cards.
pub(super) fn card(weights: &Weights, program: Program, differences: &[String]) -> String {
    let recipe = &weights.recipe;
    let library = match program {
        Program::OpenClip => "open_clip",
        Program::HuggingFace => "transformers",
    };
    let mut lines = vec![
        "---".to_owned(),
        format!("library_name: {library}"),
        "pipeline_tag: zero-shot-image-classification".to_owned(),
        "tags: [clip, clipa]".to_owned(),
        "---".to_owned(),
        format!("# {}, stage {}", text(&recipe.name), text(&weights.stage().name)),
        String::new(),
        format!("{}.", text(&recipe.about).trim_end_matches('.')),
        String::new(),
    ];
    lines.extend(facts(weights));
    lines.extend(usage(program));
    if !differences.is_empty() {
        lines.extend([String::new(), "## What is not the same here".to_owned(), String::new()]);
        lines.extend(differences.iter().map(|difference| format!("- {}", text(difference))));
    }
    if weights.is_own {
        let toml = recipe.to_toml();
        lines.extend([String::new(), "## Recipe".to_owned(), String::new(), "```toml".to_owned()]);
        lines.extend([toml.trim_end().replace("```", "'''"), "```".to_owned()]);
    }
    lines.join("\n") + "\n"
}

/// The table of what is known.
fn facts(weights: &Weights) -> Vec<String> {
    let stage = weights.stage();
    let model = stage.model(&weights.recipe.model);
    let parameters: i64 = specify(&model, stage.sizes()).iter().map(|spec| spec.count()).sum();
    let mut rows = vec![
        ("parameters", figures::count(parameters.unsigned_abs())),
        ("image", format!("{} px, patches of {} px", stage.image_size, model.vision.patch_size)),
        ("text", format!("{} tokens, {}", stage.context_length, stage.text_reduction)),
    ];
    match &weights.provenance {
        None => rows.push(("converted from", weights.source())),
        Some(provenance) => {
            let (state, identity) = (&provenance.state, &provenance.record.identity);
            let command = provenance.record.beginning.program.clone();
            rows.extend([
                ("trained with", command),
                (
                    "steps",
                    format!(
                        "{} of {}",
                        figures::count(state.step),
                        figures::count(state.total_steps)
                    ),
                ),
                ("samples seen in this stage", figures::count(state.cursor.sample)),
                ("samples of the data set", figures::count(identity.samples_per_epoch)),
                (
                    "data set (SHA-256 over its shards' BLAKE3)",
                    format!("`{}`", state.dataset_sha256),
                ),
                ("recipe (SHA-256 of what losses depend on)", format!("`{}`", state.recipe_sha256)),
                ("seed", state.seed.to_string()),
            ]);
            let begun = identity.weights_blake3.as_ref();
            rows.push((
                "began with",
                begun.map_or("random weights".to_owned(), |digest| {
                    format!("weights of BLAKE3 `{digest}`")
                }),
            ));
        }
    }
    let mut lines = vec!["| | |".to_owned(), "|---|---|".to_owned()];
    lines.extend(rows.into_iter().map(|(name, value)| format!("| {name} | {} |", text(&value))));
    let results = weights.provenance.iter().flat_map(|provenance| &provenance.results);
    let results: Vec<String> = results.map(|line| line.replace("```", "'''")).collect();
    lines.extend([String::new(), "## Accuracy".to_owned(), String::new()]);
    if results.is_empty() {
        lines.push("Not measured with these weights: `clipa-train eval` does.".to_owned());
    } else {
        lines.push("As measured with these weights:".to_owned());
        lines.extend([String::new(), "```json".to_owned()]);
        lines.extend(results.iter().map(|line| printable(line).into_owned()));
        lines.push("```".to_owned());
    }
    lines
}

/// How the other program reads the folder.
fn usage(program: Program) -> Vec<String> {
    let code: &[&str] = match program {
        Program::OpenClip => &[
            "import open_clip",
            "model, preprocess = open_clip.create_model_from_pretrained('local-dir:FOLDER')",
            "tokenizer = open_clip.get_tokenizer('local-dir:FOLDER')",
            "model.eval()",
        ],
        Program::HuggingFace => &[
            "from transformers import CLIPImageProcessor, CLIPModel",
            "model = CLIPModel.from_pretrained('FOLDER')",
            "processor = CLIPImageProcessor.from_pretrained('FOLDER')",
        ],
    };
    let mut lines = vec![String::new(), "## Use".to_owned(), String::new(), "```python".to_owned()];
    lines.extend(code.iter().map(|line| (*line).to_owned()));
    lines.push("```".to_owned());
    lines
}

/// Text of a recipe or a file's name within Markdown: one line, no markup of its own.
fn text(value: &str) -> String {
    let line = printable(value).replace(['\n', '\r'], " ");
    line.replace('<', "&lt;").replace('|', "\\|")
}
