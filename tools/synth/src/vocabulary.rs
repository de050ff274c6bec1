//! What a picture can show, in words and numbers: colours, sizes, places and backgrounds.

use super::{random_stream::RandomStream, shape::Shape};

/// A colour, red, green and blue from 0 to 255.
pub type Rgb = [f32; 3];

/// Colour of the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Colour {
    Red,
    Blue,
    Green,
    Yellow,
    Purple,
    Orange,
    Pink,
    Cyan,
}

impl Colour {
    /// Every colour; a smaller vocabulary takes the first ones.
    pub const ALL: [Colour; 8] = [
        Colour::Red,
        Colour::Blue,
        Colour::Green,
        Colour::Yellow,
        Colour::Purple,
        Colour::Orange,
        Colour::Pink,
        Colour::Cyan,
    ];

    /// The adjective.
    pub fn name(self) -> &'static str {
        match self {
            Colour::Red => "red",
            Colour::Blue => "blue",
            Colour::Green => "green",
            Colour::Yellow => "yellow",
            Colour::Purple => "purple",
            Colour::Orange => "orange",
            Colour::Pink => "pink",
            Colour::Cyan => "cyan",
        }
    }

    /// The middle of the shades that go by this name.
    pub fn rgb(self) -> Rgb {
        match self {
            Colour::Red => [214.0, 36.0, 38.0],
            Colour::Blue => [40.0, 78.0, 214.0],
            Colour::Green => [40.0, 156.0, 62.0],
            Colour::Yellow => [246.0, 220.0, 40.0],
            Colour::Purple => [122.0, 52.0, 178.0],
            Colour::Orange => [245.0, 130.0, 24.0],
            Colour::Pink => [248.0, 118.0, 190.0],
            Colour::Cyan => [52.0, 204.0, 216.0],
        }
    }
}

/// A shape of a colour: what a class of the zero-shot set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Composition {
    pub shape: Shape,
    pub colour: Colour,
}

impl Composition {
    /// The class name, `red circle`.
    pub fn name(self) -> String {
        format!("{} {}", self.colour.name(), self.shape.name())
    }
}

/// Size of the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Size {
    Small,
    Medium,
    Large,
}

impl Size {
    /// Every size.
    pub const ALL: [Size; 3] = [Size::Small, Size::Medium, Size::Large];

    /// Adjectives for it.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Size::Small => &["small", "little", "tiny"],
            Size::Medium => &["medium", "medium-sized"],
            Size::Large => &["large", "big", "huge"],
        }
    }

    /// Radius range as a share of the picture's short side.
    pub fn radius(self) -> (f32, f32) {
        match self {
            Size::Small => (0.27, 0.31),
            Size::Medium => (0.34, 0.38),
            Size::Large => (0.42, 0.47),
        }
    }
}

/// Where the shape is: a column and a row of a 3 x 3 grid over the picture's central square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// -1 left, 0 middle, 1 right.
    pub column: i8,
    /// -1 top, 0 middle, 1 bottom.
    pub row: i8,
}

impl Place {
    /// One of the nine places; the middle as likely as three others.
    pub fn random(random: &mut RandomStream) -> Place {
        if random.chance(0.25) {
            return Place { column: 0, row: 0 };
        }
        Place { column: random.below(3) as i8 - 1, row: random.below(3) as i8 - 1 }
    }

    /// Phrases for it.
    pub fn words(self) -> &'static [&'static str] {
        match (self.column, self.row) {
            (-1, -1) => &["in the top left corner", "at the upper left"],
            (0, -1) => &["at the top", "near the upper edge"],
            (1, -1) => &["in the top right corner", "at the upper right"],
            (-1, 0) => &["on the left", "at the left side"],
            (1, 0) => &["on the right", "at the right side"],
            (-1, 1) => &["in the bottom left corner", "at the lower left"],
            (0, 1) => &["at the bottom", "near the lower edge"],
            (1, 1) => &["in the bottom right corner", "at the lower right"],
            _ => &["in the middle", "in the centre", "at the center"],
        }
    }
}

/// The neutral tones that backgrounds are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Tone {
    White,
    Black,
    Grey,
    Beige,
    Brown,
}

impl Tone {
    /// Every tone.
    pub const ALL: [Tone; 5] = [Tone::White, Tone::Black, Tone::Grey, Tone::Beige, Tone::Brown];

    /// The adjective.
    pub fn name(self) -> &'static str {
        match self {
            Tone::White => "white",
            Tone::Black => "black",
            Tone::Grey => "grey",
            Tone::Beige => "beige",
            Tone::Brown => "brown",
        }
    }

    /// The tone's middle.
    pub fn rgb(self) -> Rgb {
        match self {
            Tone::White => [240.0, 240.0, 240.0],
            Tone::Black => [22.0, 22.0, 24.0],
            Tone::Grey => [128.0, 130.0, 132.0],
            Tone::Beige => [222.0, 206.0, 178.0],
            Tone::Brown => [94.0, 64.0, 44.0],
        }
    }
}

/// How a background is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Pattern {
    Plain,
    Stripes,
    Checks,
    Speckles,
    Gradient,
}

impl Pattern {
    /// Every pattern.
    pub const ALL: [Pattern; 5] =
        [Pattern::Plain, Pattern::Stripes, Pattern::Checks, Pattern::Speckles, Pattern::Gradient];

    /// Adjectives for it, to stand before that of the tone.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Pattern::Plain => &["plain", "flat", "clean"],
            Pattern::Stripes => &["striped"],
            Pattern::Checks => &["checkered"],
            Pattern::Speckles => &["noisy", "speckled"],
            Pattern::Gradient => &["shaded", "fading"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(one: Rgb, other: Rgb) -> f32 {
        one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
    }

    #[test]
    fn colours_stand_apart_from_each_other_and_from_every_tone() {
        for (index, one) in Colour::ALL.iter().enumerate() {
            for other in &Colour::ALL[index + 1..] {
                assert!(apart(one.rgb(), other.rgb()) > 85.0, "{one:?} {other:?}");
            }
            for tone in Tone::ALL {
                assert!(apart(one.rgb(), tone.rgb()) > 85.0, "{one:?} {tone:?}");
            }
        }
    }
}
