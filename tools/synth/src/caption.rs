//! Captions for scenes, of the kinds that the web has: terse and wordy, shouted, with HTML entities,
//! with filler that says nothing about the picture.

use super::{
    random_stream::RandomStream,
    scene::Scene,
    vocabulary::{Pattern, Size},
};

/// Words before the subject, in captions of one sentence.
const OPENINGS: [&str; 10] = [
    "a picture of ",
    "a drawing of ",
    "a simple drawing of ",
    "an illustration of ",
    "an image of ",
    "here you can see ",
    "this picture shows ",
    "someone has drawn ",
    "there is ",
    "we are looking at ",
];
/// What the shape does.
const VERBS: [&str; 8] =
    ["sits", "rests", "floats", "hangs", "stands", "lies", "appears", "is placed"];
/// Words between the shape and its background.
const GROUND_LINKS: [&str; 5] = ["on", "against", "over", "in front of", "drawn on"];
/// Ends of terse captions.
const TAILS: [&str; 8] = [
    "",
    "",
    "",
    ", isolated",
    " | clip art",
    " - free to use",
    " (no. 7)",
    ", available in several sizes",
];
/// Starts of wordy captions.
const WORDY_OPENINGS: [&str; 5] = [
    "If you look at this picture for a while you will notice",
    "Among the many things that we have drawn for you today there is",
    "What you see here, and it is not much, is",
    "Nobody remembers who made it or when, but here is",
    "For those who have been asking us about it all week, this is",
];
/// Ends of wordy captions.
const WORDY_TAILS: [&str; 5] = [
    " and nothing else happens anywhere around it.",
    ", which is really all that there is to say.",
    ", so please use it as often as you want to.",
    ", though some of us would have made it differently.",
    ". More of these can be ordered whenever you need them.",
];

/// Writes a caption for the scene. It always names shape and colour; size, place and background now
/// and then.
pub fn write(scene: &Scene, random: &mut RandomStream) -> String {
    let caption = match random.below(8) {
        0 => terse(scene, random),
        1 | 2 => noun_phrase_with_ground(scene, random),
        3 | 4 => with_place(scene, random),
        5 => ground_first(scene, random),
        6 => quoted(scene, random),
        _ => wordy(scene, random),
    };
    dressed(caption, random)
}

/// `small red circle`
fn terse(scene: &Scene, random: &mut RandomStream) -> String {
    let described = described(scene, random);
    format!("{described}{}", random.one_of(&TAILS))
}

/// `a drawing of a small red circle on a striped grey background`
fn noun_phrase_with_ground(scene: &Scene, random: &mut RandomStream) -> String {
    let opening = random.one_of(&OPENINGS);
    let subject = with_article(&described(scene, random));
    let link = random.one_of(&GROUND_LINKS);
    format!("{opening}{subject} {link} {}", ground(scene, random))
}

/// `a red circle floats in the top left corner`
fn with_place(scene: &Scene, random: &mut RandomStream) -> String {
    let subject = with_article(&described(scene, random));
    let place = random.one_of(scene.place.words());
    let mut caption = if random.chance(0.5) {
        format!("{subject} {} {place}", random.one_of(&VERBS))
    } else {
        format!("{}{subject} {place}", random.one_of(&OPENINGS))
    };
    if random.chance(0.3) {
        caption = format!("{caption}, {} {}", random.one_of(&GROUND_LINKS), ground(scene, random));
    }
    caption
}

/// `on a plain white background sits a circle painted red`
fn ground_first(scene: &Scene, random: &mut RandomStream) -> String {
    let (colour, shape) = (scene.composition.colour.name(), scene.composition.shape.name());
    let ground = ground(scene, random);
    let verb = random.one_of(&VERBS);
    match random.below(3) {
        0 => format!("on {ground} {verb} {} painted {colour}", with_article(shape)),
        1 => format!("{ground} with {}", with_article(&described(scene, random))),
        _ => format!("the {shape} was coloured {colour}, the rest is {ground}"),
    }
}

/// `&quot;red circle&quot; &amp; more, small`
fn quoted(scene: &Scene, random: &mut RandomStream) -> String {
    let name = scene.composition.name();
    let described = described(scene, random);
    match random.below(3) {
        0 => format!("&quot;{name}&quot; on {}", ground(scene, random)),
        1 => format!("{described} &amp; {}", ground(scene, random)),
        _ => format!("it&#39;s {}!", with_article(&described)),
    }
}

/// A caption that is longer than 16 words.
fn wordy(scene: &Scene, random: &mut RandomStream) -> String {
    let opening = random.one_of(&WORDY_OPENINGS);
    let subject = with_article(&described(scene, random));
    let verb = random.one_of(&VERBS);
    let place = random.one_of(scene.place.words());
    let link = random.one_of(&GROUND_LINKS);
    let ground = ground(scene, random);
    let tail = random.one_of(&WORDY_TAILS);
    format!("{opening} {subject} that {verb} {place} {link} {ground}{tail}")
}

/// Colour and shape, with the size more often than not (least often a medium one).
fn described(scene: &Scene, random: &mut RandomStream) -> String {
    let name = scene.composition.name();
    let likely = if scene.size == Size::Medium { 0.3 } else { 0.7 };
    if random.chance(likely) {
        format!("{} {name}", random.one_of(scene.size.words()))
    } else {
        name
    }
}

/// `a striped grey background`
fn ground(scene: &Scene, random: &mut RandomStream) -> String {
    let tone = scene.tone.name();
    let noun = random.one_of(&["background", "backdrop", "ground", "surface"]);
    if scene.pattern == Pattern::Plain && random.chance(0.5) {
        return format!("a {tone} {noun}");
    }
    with_article(&format!("{} {tone} {noun}", random.one_of(scene.pattern.words())))
}

fn with_article(phrase: &str) -> String {
    let article = if phrase.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    // `hourglass` starts with a vowel for the ear.
    let article = if phrase.starts_with("hour") { "an" } else { article };
    format!("{article} {phrase}")
}

/// Capital letters and a full stop, as people set them.
fn dressed(caption: String, random: &mut RandomStream) -> String {
    let stopped = caption.ends_with(['.', '!']);
    let caption = if !stopped && random.chance(0.35) { caption + "." } else { caption };
    match random.below(16) {
        // An entity in capitals would not be one.
        0 if !caption.contains('&') => caption.to_uppercase(),
        1 if !caption.contains('&') => title_case(&caption),
        2..=8 => first_capital(&caption),
        _ => caption,
    }
}

fn first_capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn title_case(text: &str) -> String {
    text.split(' ').map(first_capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        random_stream::Purpose,
        shape::Shape,
        vocabulary::{Colour, Composition},
    };

    fn captions() -> Vec<(Scene, String)> {
        (0..4_000)
            .map(|index| {
                let mut random = RandomStream::new(5, Purpose::Training, index);
                let shape = random.one_of(&Shape::ALL);
                let colour = random.one_of(&Colour::ALL);
                let scene = Scene::random(Composition { shape, colour }, 64, &mut random);
                let caption = write(&scene, &mut random);
                (scene, caption)
            })
            .collect()
    }

    #[test]
    fn every_caption_names_shape_and_colour_and_no_other() {
        for (scene, caption) in captions() {
            let lower = caption.to_lowercase();
            for shape in Shape::ALL {
                let said = lower.contains(shape.name());
                assert_eq!(said, shape == scene.composition.shape, "{caption}");
            }
            for colour in Colour::ALL {
                // `coloured` and `asking` hold no colour as a word.
                let said = lower.split(|c: char| !c.is_alphabetic()).any(|w| w == colour.name());
                assert_eq!(said, colour == scene.composition.colour, "{caption}");
            }
        }
    }

    #[test]
    fn all_kinds_of_captions_occur() {
        let captions: Vec<String> = captions().into_iter().map(|(_, caption)| caption).collect();
        let share = |kind: &dyn Fn(&String) -> bool| {
            captions.iter().filter(|caption| kind(caption)).count() as f32 / captions.len() as f32
        };
        let long = share(&|caption| caption.split_whitespace().count() > 16);
        let entities = share(&|caption| caption.contains('&') && caption.contains(';'));
        let shouted = share(&|caption| !caption.chars().any(char::is_lowercase));
        let short = share(&|caption| caption.split_whitespace().count() <= 4);
        assert!((0.1..0.2).contains(&long), "{long}");
        assert!((0.08..0.2).contains(&entities), "{entities}");
        assert!((0.02..0.1).contains(&shouted), "{shouted}");
        assert!((0.05..0.2).contains(&short), "{short}");
        let mut distinct = captions.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert!(distinct.len() > 3_500, "{} distinct of 4,000", distinct.len());
    }

    #[test]
    fn articles_fit_the_ear() {
        assert_eq!(with_article("orange star"), "an orange star");
        assert_eq!(with_article("hourglass"), "an hourglass");
        assert_eq!(with_article("huge ring"), "a huge ring");
    }
}
