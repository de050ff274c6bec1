//! What each cell of a study trains: changes of the recipe, and the tokens that are looked at.

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use clipa_talk::WithHint;

/// Which study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Study {
    /// The eight reductions at equal tokens
    Reductions,
    /// Two sizes of model, five lengths of images
    Law,
}

/// What all cells share. Longer ones learn more and cost more: a cell is to take a minute or two on two cores.
pub(super) const COMMON: [&str; 7] = [
    "stage.pretrain.samples=48000",
    "stage.pretrain.warmup_steps=30",
    "stage.finetune.samples=8000",
    "stage.pretrain.log_steps=150",
    "stage.pretrain.checkpoint_steps=750",
    "stage.finetune.checkpoint_steps=125",
    "stage.keep_checkpoints=1",
];

/// One training, but for its seed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    /// Unique.
    pub(super) name: &'static str,
    /// What the plot joins by a line.
    pub(super) group: &'static str,
    /// Changes of the recipe.
    pub(super) set: Vec<String>,
    /// Tokens of pre-training, the class token and the specials included.
    pub(super) image_tokens: u32,
    pub(super) text_tokens: u32,
}

/// The cells of a study; those of `only` where any is named.
///
/// # Errors
/// A name that the study does not have.
pub(super) fn chosen(study: Study, only: &[String]) -> Result<Vec<Cell>> {
    let all = match study {
        Study::Reductions => reductions(),
        Study::Law => law(),
    };
    if let Some(unknown) = only.iter().find(|name| all.iter().all(|cell| cell.name != **name)) {
        let names: Vec<&str> = all.iter().map(|cell| cell.name).collect();
        return Err(anyhow!("the study has no cell `{unknown}`"))
            .hint(format!("choose of {}", names.join(", ")));
    }
    let wanted = |cell: &Cell| only.is_empty() || only.iter().any(|name| name == cell.name);
    Ok(all.into_iter().filter(wanted).collect())
}

/// Each image reduction beside the same texts, each text reduction beside the same images: 17 image and 8 text tokens. The
/// smaller image with the syntax mask belongs to both, and is trained once.
fn reductions() -> Vec<Cell> {
    let cell = |name, group, image: &str, text: &str| {
        let mask = match image {
            "resize" => vec![],
            "grid" => vec!["image_reduction=grid".to_owned()],
            mask => vec![format!("image_reduction={{mask=\"{mask}\",drop=0.75}}")],
        };
        let size = if mask.is_empty() { 32 } else { 64 };
        let mut set = vec![format!("image_size={size}"), format!("text_reduction={text}")];
        set.extend(mask);
        let set = set.iter().map(|set| format!("stage.pretrain.{set}")).collect();
        Cell { name, group, set, image_tokens: 17, text_tokens: 8 }
    };
    vec![
        cell("resize+syntax", "both", "resize", "syntax"),
        cell("image-random", "image", "random", "syntax"),
        cell("image-grid", "image", "grid", "syntax"),
        cell("image-block", "image", "block", "syntax"),
        cell("text-truncate", "text", "resize", "truncate"),
        cell("text-random", "text", "resize", "random"),
        cell("text-block", "text", "resize", "block"),
    ]
}

/// Two sizes of image tower (0.1 and 0.8 million parameters), five sides of the images; texts of full length, so that one thing changes.
fn law() -> Vec<Cell> {
    let sides = [(64, 65), (48, 37), (32, 17), (24, 10), (16, 5)];
    let towers = [
        ("small", [64, 2, 2, 256], ["small-65", "small-37", "small-17", "small-10", "small-5"]),
        ("large", [128, 4, 4, 512], ["large-65", "large-37", "large-17", "large-10", "large-5"]),
    ];
    let cells = towers.into_iter().flat_map(|(group, [width, layers, heads, mlp_width], names)| {
        names.into_iter().zip(sides).map(move |(name, (side, image_tokens))| {
            let vision =
                [("width", width), ("layers", layers), ("heads", heads), ("mlp_width", mlp_width)];
            let mut set: Vec<String> =
                vision.iter().map(|(key, value)| format!("model.vision.{key}={value}")).collect();
            set.push(format!("stage.pretrain.image_size={side}"));
            set.push("stage.pretrain.context_length=16".to_owned());
            set.push("stage.pretrain.text_reduction=truncate".to_owned());
            Cell { name, group, set, image_tokens, text_tokens: 16 }
        })
    });
    cells.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_reductions_are_compared_at_equal_tokens() {
        let cells = reductions();
        assert!(cells.iter().all(|cell| (cell.image_tokens, cell.text_tokens) == (17, 8)));
        let names: BTreeSet<_> = cells.iter().map(|cell| cell.name).collect();
        let settings: BTreeSet<_> = cells.iter().map(|cell| cell.set.join(" ")).collect();
        assert_eq!((names.len(), settings.len()), (7, 7));
    }

    #[test]
    fn both_sizes_of_the_law_see_the_same_lengths() {
        let cells = law();
        let tokens = |group| -> Vec<u32> {
            let cells = cells.iter().filter(|cell| cell.group == group);
            cells.map(|cell| cell.image_tokens).collect()
        };
        assert_eq!(tokens("small"), tokens("large"));
        for cell in &cells {
            assert!(cell.name.ends_with(&format!("-{}", cell.image_tokens)), "{}", cell.name);
        }
    }

    #[test]
    fn a_cell_that_is_not_there_is_named_with_those_that_are() {
        let one = chosen(Study::Law, &["large-17".to_owned()]).unwrap();
        assert_eq!(one.len(), 1);
        let error = chosen(Study::Law, &["huge".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("huge"), "{error}");
    }
}
