//! Sentence ends as Punkt finds them (Kiss and Strunk 2006, "Unsupervised Multilingual Sentence Boundary Detection"), the
//! way NLTK's `PunktTokenizer` applies a trained model.
//!
//! The tables (abbreviations, collocations, frequent sentence starters, how words are written at starts and inside) are
//! NLTK's `punkt_tab` files; they are read from a directory and not part of clipa.

mod boundaries;
mod model;
mod tokens;

pub use boundaries::Sentences;
pub use model::{Punkt, PunktError};

#[cfg(test)]
mod tests {
    use super::*;

    /// A small model in place of NLTK's: the rules are tested here, the tables in `tests` over the shared data.
    fn model() -> Punkt {
        let set = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Punkt {
            abbreviations: set(&["mr", "vol", "s.p.a"]),
            collocations: [("j".to_owned(), "bach".to_owned())].into_iter().collect(),
            sentence_starters: set(&["the"]),
            written: [("it".to_owned(), 2 | 16), ("dogs".to_owned(), 32 | 64)]
                .into_iter()
                .collect(),
            hash: String::new(),
        }
    }

    fn sentences(text: &str) -> Vec<&str> {
        // The model lives as long as the test program.
        Box::leak(Box::new(model())).sentences(text).collect()
    }

    /// Expected sentences from NLTK 3.10.4 with the same small tables.
    #[test]
    fn sentences_are_those_of_nltk() {
        for (text, expected) in CASES {
            assert_eq!(sentences(text).join("|"), *expected, "{text}");
        }
    }

    #[rustfmt::skip]
    const CASES: &[(&str, &str)] = &[
        ("Hello there. It is. dogs run. Dogs run.", "Hello there.|It is.|dogs run.|Dogs run."),
        ("Mr. Smith vs. J. Bach. The end.", "Mr. Smith vs.|J. Bach.|The end."),
        ("Vol. 8 is out. vol. The next", "Vol. 8 is out.|vol.|The next"),
        ("He said \"Hi.\" Then (left.) He went.", "He said \"Hi.\"|Then (left.)|He went."),
        ("What?! Really... Yes. no. 3. It 4. dogs", "What?!|Really... Yes.|no.|3.|It 4. dogs"),
        (". . . a. . . . b .. c ...The", ".|.|.|a. .|.|.|b .. c ...The"),
        ("No space.after dot.\" x", "No space.after dot.\"|x"),
        ("A. B. C. It is", "A. B. C.|It is"),
        ("x.)--y. \u{201c}Quoted.\u{201d}  next\nline. end.  ", "x.)--y.|\u{201c}Quoted.\u{201d}|next\nline.|end."),
        ("S.p.A. It-vol. X", "S.p.A. It-vol. X"),
        ("!!! ??? ...", "!|!!|?|??|..."),
        ("a.'\n\n b.\" \n", "a.'|b.\""),
        ("", ""),
        ("   ", ""),
        ("10. dogs 1,000.5. It -5. x", "10. dogs 1,000.5.|It -5. x"),
        ("Wait.. . It", "Wait.. .|It"),
        ("e.g. it. i.e. The U.S. The", "e.g.|it.|i.e.|The U.S.|The"),
        ("a!b? c ! It . x", "a!b?|c !|It .|x"),
        ("'Tis. ' It.'' x", "'Tis. '|It.''|x"),
        ("Cut.\u{a0}It. \u{2003}dogs", "Cut.\u{a0}It.|dogs"),
    ];
}
