//! The captions of a sample: gathered from its members, its `.json` and its row of the table.
//!
//! In this order: the `.txt`, members with other suffixes, the `.json`, the table. A text that comes twice is one
//! caption, so that img2dataset's output, which has each in three places, has one. Several lines are several captions
//! ([`lines`] says when they are not).

use clipa_schemas::text::MAX_CAPTIONS;

use super::repairs::ReadRepair;
use crate::archive::sidecar::FoundCaption;

/// Suffixes and fields that a reason names.
const NAMED: usize = 12;

/// Captions under collection.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// At most [`MAX_CAPTIONS`], no two of the same words.
    pub(super) captions: Vec<FoundCaption>,
    /// What was done to them, by name.
    pub(super) repairs: Vec<&'static str>,
    /// The first source that was there and had nothing in it.
    blank: Option<String>,
    /// A member that should have had captions and could not be read, with why.
    unreadable: Option<String>,
}

impl Gathered {
    /// Adds the captions of a text member. `stated` are the captions that `.json` and table name: one that is the whole
    /// text says that its lines are one caption.
    pub(super) fn text(&mut self, text: &str, source: &str, stated: &[FoundCaption]) {
        if text.trim().is_empty() {
            self.blank.get_or_insert_with(|| source.to_owned());
            return;
        }
        let is_stated = stated.iter().any(|caption| is_same(&caption.text, text));
        let lines = if is_stated { vec![text] } else { lines(text) };
        if lines.len() > 1 {
            self.repaired(ReadRepair::CaptionLines);
        }
        for text in lines {
            self.add(FoundCaption { text: text.to_owned(), source: source.to_owned() });
        }
    }

    /// Adds a caption, unless it is there already.
    pub(super) fn add(&mut self, caption: FoundCaption) {
        if caption.text.trim().is_empty()
            || self.captions.iter().any(|there| is_same(&there.text, &caption.text))
        {
            return;
        }
        if self.captions.len() == MAX_CAPTIONS {
            return self.repaired(ReadRepair::CaptionsDropped);
        }
        self.captions.push(caption);
    }

    /// Adds what `.json` and table name.
    pub(super) fn stated(&mut self, stated: Vec<FoundCaption>) {
        let was_empty = self.captions.is_empty();
        stated.into_iter().for_each(|caption| self.add(caption));
        if was_empty && self.blank.is_some() && !self.captions.is_empty() {
            self.repaired(ReadRepair::EmptyTxt);
        }
    }

    /// A member that should have captions cannot be read.
    pub(super) fn unreadable(&mut self, source: &str, why: &str) {
        self.unreadable.get_or_insert_with(|| format!("the .{source}: {why}"));
        self.repaired(ReadRepair::CaptionsIgnored);
    }

    fn repaired(&mut self, repair: ReadRepair) {
        if !self.repairs.contains(&repair.name()) {
            self.repairs.push(repair.name());
        }
    }

    /// Why there is no caption, reason and detail; `sidecar` says why the `.json` could not be read, `fields` what it has that is not
    /// read, `suffixes` which members are not.
    pub(super) fn missing(
        &self,
        sidecar: Option<&str>,
        fields: &[String],
        suffixes: &[String],
    ) -> (&'static str, String) {
        if let Some(why) = sidecar.or(self.unreadable.as_deref()) {
            return ("bad_sidecar", format!("{why}; so there is no caption"));
        }
        let mut detail = match &self.blank {
            Some(source) => format!("no words in the .{source}"),
            None => "no .txt".to_owned(),
        };
        for (what, names) in [("fields of the .json", fields), ("members", suffixes)] {
            if !names.is_empty() {
                let shown = &names[..names.len().min(NAMED)];
                detail += &format!("; {what} that are not read as captions: {}", shown.join(", "));
            }
        }
        let is_blank =
            self.blank.is_some() || fields.iter().any(|field| field.ends_with("(blank)"));
        (if is_blank { "empty_caption" } else { "no_caption" }, detail)
    }
}

/// The captions of a text of several lines: each line that is not blank, as in the tars of COCO and Flickr30k that
/// CLIP_benchmark reads. But one caption that was wrapped stays one: only its first line begins with a capital letter,
/// the others go on in lower case, and no line before the last ends a sentence.
fn lines(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.len() < 2 || is_wrapped(&lines) {
        return vec![text];
    }
    lines
}

fn is_wrapped(lines: &[&str]) -> bool {
    let begins = |line: &str, is: fn(char) -> bool| line.chars().next().is_some_and(is);
    let [first, others @ ..] = lines else { return false };
    let before_last = &lines[..lines.len() - 1];
    begins(first, char::is_uppercase)
        && others.iter().all(|line| begins(line, char::is_lowercase))
        && !before_last.iter().any(|line| line.ends_with(['.', '!', '?']))
}

/// Are these the same words, whatever space is between them?
fn is_same(one: &str, other: &str) -> bool {
    one == other || one.split_whitespace().eq(other.split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caption(text: &str, source: &str) -> FoundCaption {
        FoundCaption { text: text.to_owned(), source: source.to_owned() }
    }

    fn gathered(text: &str, stated: &[FoundCaption]) -> Gathered {
        let mut gathered = Gathered::default();
        gathered.text(text, "txt", stated);
        gathered.stated(stated.to_vec());
        gathered
    }

    fn texts(gathered: &Gathered) -> Vec<&str> {
        gathered.captions.iter().map(|caption| &*caption.text).collect()
    }

    #[test]
    fn lines_are_captions_unless_they_are_one_that_is_wrapped() {
        for (text, expected) in [
            (
                "A dog.\nA brown dog runs.\nTwo dogs.\n",
                vec!["A dog.", "A brown dog runs.", "Two dogs."],
            ),
            ("a dog\r\n\r\na brown dog", vec!["a dog", "a brown dog"]),
            ("One man\nOne woman", vec!["One man", "One woman"]),
            ("A dog.\nruns", vec!["A dog.", "runs"]),
            (
                "A brown dog runs\nacross the wet\ngrass.\n",
                vec!["A brown dog runs\nacross the wet\ngrass.\n"],
            ),
            (" one line\n", vec![" one line\n"]),
        ] {
            let found = gathered(text, &[]);
            assert_eq!(texts(&found), expected);
            let lines = (expected.len() > 1).then_some("caption_lines");
            assert_eq!(found.repairs, Vec::from_iter(lines), "{text}");
        }
    }

    #[test]
    fn a_caption_that_the_json_states_whole_is_not_cut() {
        let found = gathered(
            "red shoes\nblack shoes",
            &[caption("red shoes  black shoes", "json:caption")],
        );
        assert_eq!(texts(&found), ["red shoes\nblack shoes"]);
        assert!(found.repairs.is_empty());
        let found = gathered("red shoes\nblack shoes", &[caption("black shoes", "json:caption")]);
        assert_eq!(texts(&found), ["red shoes", "black shoes"]);
    }

    #[test]
    fn the_same_words_are_one_caption_and_other_words_another() {
        let stated = [
            caption("a  dog", "json:caption"),
            caption("a cat", "json:alt"),
            caption("a cat", "table:TEXT"),
        ];
        let found = gathered("a dog", &stated);
        assert_eq!(found.captions, [caption("a dog", "txt"), caption("a cat", "json:alt")]);
    }

    #[test]
    fn an_empty_txt_is_a_repair_where_there_is_another_caption() {
        let found = gathered(" \n", &[caption("a cat", "json:caption")]);
        assert_eq!((texts(&found), &found.repairs[..]), (vec!["a cat"], &["empty_txt"][..]));
        let none = gathered("", &[]);
        assert!(none.captions.is_empty() && none.repairs.is_empty());
        let (reason, why) = none.missing(None, &["title".to_owned()], &["md".to_owned()]);
        assert_eq!(reason, "empty_caption");
        assert!(why.contains("no words in the .txt") && why.contains("title"), "{why:?}");
        let missing = Gathered::default().missing(None, &[], &[]);
        assert_eq!(missing, ("no_caption", "no .txt".to_owned()));
        let (reason, why) = none.missing(Some("broken at line 1"), &[], &[]);
        assert!(reason == "bad_sidecar" && why.starts_with("broken at line 1"), "{why:?}");
    }

    #[test]
    fn more_captions_than_the_limit_are_dropped_and_counted() {
        let text: String = (0..MAX_CAPTIONS + 5).map(|n| format!("caption {n}\n")).collect();
        let found = gathered(&text, &[]);
        assert_eq!(found.captions.len(), MAX_CAPTIONS);
        assert_eq!(found.repairs, ["caption_lines", "captions_dropped"]);
    }
}
