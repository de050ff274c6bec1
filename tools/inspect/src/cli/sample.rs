//! `clipa-inspect sample`.

use std::path::PathBuf;

use clap::Args;
use clipa_schemas::reduction::text::MAX_CONTEXT_LENGTH;

use super::{open::open, page::Page};
use crate::{
    InspectError,
    dataset::{Dataset, Position},
    png,
    sample::{ReductionOptions, SampleView, TextView, read_pixels},
    terminal,
};
use clipa_talk::{
    Outcome, Printer,
    figures::{bytes, count, counted},
};

/// `clipa-inspect sample`.
#[derive(Args, Debug)]
pub struct SampleArgs {
    /// Folder of the data set, the one with dataset.json.
    pub dir: PathBuf,
    /// Number of the sample, from 0.
    #[arg(required_unless_present = "key", conflicts_with = "key")]
    pub index: Option<u64>,
    /// Key of the sample instead; the first one with it is shown.
    #[arg(long)]
    pub key: Option<String>,
    /// Tokens of a row that a model reads, special ones included. CLIPA pre-trains with 8 to 32.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(3..=i64::from(MAX_CONTEXT_LENGTH)))]
    pub context_length: u16,
    /// Seed of the random reductions.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Write the largest stored image to this file; an existing one is never overwritten.
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
    /// Print one JSON object instead of a page.
    #[arg(long)]
    pub json: bool,
}

/// Shows a sample.
pub(super) fn run(args: &SampleArgs, printer: &Printer) -> anyhow::Result<Outcome> {
    if let Some(path) = &args.png {
        png::check_free(path)?;
    }
    let dataset = open(&args.dir, printer)?;
    let position = match (&args.key, args.index) {
        (Some(key), _) => dataset.position_of_key(key)?,
        (None, index) => dataset.position(index.unwrap_or(0))?,
    };
    let options =
        ReductionOptions { context_length: usize::from(args.context_length), seed: args.seed };
    let view = SampleView::read(&dataset, position, options)?;
    if args.json {
        printer.json(&view)?;
    } else {
        printer.data(page(&view));
    }
    show_image(args, &dataset, position, &view, printer)?;
    Ok(Outcome::Fine)
}

/// The largest stored image, to the file and to the terminal.
fn show_image(
    args: &SampleArgs,
    dataset: &Dataset,
    position: Position,
    view: &SampleView,
    printer: &Printer,
) -> Result<(), InspectError> {
    let on_terminal = printer.data_is_terminal() && !args.json;
    let largest =
        view.images.iter().max_by_key(|image| u64::from(image.width) * u64::from(image.height));
    let Some(image) = largest.filter(|_| on_terminal || args.png.is_some()) else {
        return match &args.png {
            Some(_) => Err(InspectError::NoImages { folder: args.dir.clone() }),
            None => Ok(()),
        };
    };
    let pixels = read_pixels(dataset, position, image.column)?;
    if on_terminal {
        printer.drawing(&terminal::draw(&pixels));
    }
    if let Some(path) = &args.png {
        png::write(path, &pixels)?;
        printer.say(format!("{}: {} x {} pixels", path.display(), pixels.width, pixels.height));
    }
    Ok(())
}

fn page(view: &SampleView) -> String {
    let mut page = Page::default();
    let key = view.field("key").unwrap_or_default();
    page.head(&format!("sample {} `{key}`", count(view.index)));
    page.entry("shard", &format!("{}, row group {}, row {}", view.shard, view.row_group, view.row));
    page.entry("source", &view.source);
    for name in view.fields.keys().filter(|name| *name != "key") {
        page.entry(name, &view.field(name).unwrap_or_default());
    }
    if let Some(class) = &view.class {
        page.entry("class", class);
    }
    if !view.captions.is_empty() {
        page.space();
        page.head(&counted(view.captions.len() as u64, "caption"));
        for caption in &view.captions {
            page.entry(&caption.source, &caption.text);
        }
    }
    page.space();
    page.head("images");
    for image in &view.images {
        let size = format!("{} x {} pixels", image.width, image.height);
        let column = image.column;
        page.entry(
            &column.name(),
            &format!("{}, {size}, {}", column.encoding.name(), bytes(image.bytes as u64)),
        );
    }
    for text in &view.texts {
        page.space();
        text_page(&mut page, text);
    }
    page.finish()
}

fn text_page(page: &mut Page, text: &TextView) {
    page.head(&format!("{}: {}", text.column, counted(text.tokens as u64, "token")));
    let words = text.words.iter().map(|word| {
        let shown = if word.text.is_empty() { "(nothing)" } else { &word.text };
        if word.tag.is_empty() { shown.to_owned() } else { format!("{shown}/{}", word.tag) }
    });
    page.entry("words", &words.collect::<Vec<_>>().join(" "));
    page.head(&format!("at context length {}", text.context_length));
    for reduction in &text.reductions {
        let kept = reduction.kept.map_or_else(String::new, |kept| format!("{kept:>3}  "));
        page.entry(reduction.name, &format!("{kept}{}", reduction.text));
    }
}
