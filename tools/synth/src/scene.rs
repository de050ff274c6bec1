//! One picture before it is drawn: what it shows, and everything that varies without being said.

use super::{
    geometry::{Point, point},
    random_stream::RandomStream,
    vocabulary::{Composition, Pattern, Place, Rgb, Size, Tone},
};

/// Width to height of the pictures, as the web has them: squares, and both ways of 5:4 and 4:3.
const ASPECTS: [(u32, u32); 5] = [(1, 1), (5, 4), (4, 5), (4, 3), (3, 4)];
/// Greatest number of specks of the background's own tones.
const MAX_CLUTTER: usize = 2;

/// Part of the way from the middle to the edge that a shape moves: all of it would take a small model much longer to
/// learn shapes wherever they are.
const ROOM_USED: f32 = 0.4;

/// What is drawn, and what the caption may say about it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The shape and its colour.
    pub composition: Composition,
    /// How large it is.
    pub size: Size,
    /// Where it is.
    pub place: Place,
    /// How the background is painted.
    pub pattern: Pattern,
    /// What the background is painted with.
    pub tone: Tone,
    /// What no caption mentions.
    pub nuisance: Nuisance,
}

/// Variation that a model has to see through. Lengths in pixels, colours from 0 to 255.
#[derive(Clone, Debug)]
pub struct Nuisance {
    /// Centre of the shape.
    pub centre: Point,
    /// Radius of the disc that holds the shape.
    pub radius: f32,
    /// Cosine and sine of the shape's turn.
    pub turn: (f32, f32),
    /// The very shade of the shape.
    pub paint: Rgb,
    /// Change of brightness across the shape, as a factor from its left to its right end.
    pub shading: (f32, f32),
    /// The two colours of the background; a plain one uses the first.
    pub ground: [Rgb; 2],
    /// Direction in which the background changes, of length 1.
    pub grain: Point,
    /// Period of the background's pattern.
    pub period: f32,
    /// Small discs on the background: centre and radius.
    pub clutter: Vec<(Point, f32)>,
    /// Brightness of the whole, a factor.
    pub gain: f32,
    /// Standard deviation of the noise on every channel.
    pub noise: f32,
    /// Quality of the JPEG.
    pub quality: i32,
}

impl Scene {
    /// Everything but the composition is random; the short side has `side` pixels.
    pub fn random(composition: Composition, side: u32, random: &mut RandomStream) -> Scene {
        let (width, height) = frame(side, random.one_of(&ASPECTS));
        let size = random.one_of(&Size::ALL);
        let place = Place::random(random);
        let pattern = random.one_of(&Pattern::ALL);
        let tone = random.one_of(&Tone::ALL);
        let mut scene = Scene {
            width,
            height,
            composition,
            size,
            place,
            pattern,
            tone,
            nuisance: Nuisance::random(composition, tone, side as f32, random),
        };
        scene.put_shape(random);
        scene
    }

    /// Puts the shape at its place: within the central square, so that a centre crop keeps it.
    fn put_shape(&mut self, random: &mut RandomStream) {
        let side = self.width.min(self.height) as f32;
        let (low, high) = self.size.radius();
        let radius = side * random.between(low, high);
        let room = ROOM_USED * (side / 2.0 - radius);
        let mut shift = |step: i8| {
            // At most half the way to the next place, so that captions tell the truth.
            let wanted = (f32::from(step) + random.between(-0.5, 0.5)) * room;
            wanted.clamp(-room, room)
        };
        let (right, down) = (shift(self.place.column), shift(self.place.row));
        self.nuisance.radius = radius;
        self.nuisance.centre =
            point(self.width as f32 / 2.0 + right, self.height as f32 / 2.0 + down);
    }
}

/// Width and height whose shorter one is `side` and whose ratio is nearly the given one.
fn frame(side: u32, (across, down): (u32, u32)) -> (u32, u32) {
    let short = across.min(down);
    (side * across / short, side * down / short)
}

impl Nuisance {
    fn random(
        composition: Composition,
        tone: Tone,
        side: f32,
        random: &mut RandomStream,
    ) -> Nuisance {
        let base = shade(tone.rgb(), 10.0, random);
        let contrast = random.between(22.0, 44.0);
        // Away from the nearer end of the scale, so that the pattern shows on black and on white.
        let step = if base[1] > 128.0 { -contrast } else { contrast };
        let clutter = (0..random.below(MAX_CLUTTER + 1))
            .map(|_| {
                let at = point(random.between(0.0, 1.3 * side), random.between(0.0, 1.3 * side));
                (at, side * random.between(0.01, 0.035))
            })
            .collect();
        Nuisance {
            centre: point(0.0, 0.0),
            radius: 0.0,
            turn: unit_vector(random.between(-0.14, 0.14)),
            paint: shade(composition.colour.rgb(), 13.0, random),
            shading: (random.between(0.88, 1.1), random.between(0.88, 1.1)),
            ground: [base, base.map(|channel| channel + step)],
            grain: grain(random),
            period: side * random.between(0.14, 0.3),
            clutter,
            gain: random.between(0.84, 1.1),
            noise: random.between(0.0, 9.0),
            quality: 84 + random.below(12) as i32,
        }
    }
}

/// A colour near the given one: each channel off by at most `spread`.
fn shade(rgb: Rgb, spread: f32, random: &mut RandomStream) -> Rgb {
    rgb.map(|channel| channel + random.between(-spread, spread))
}

/// Cosine and sine of the angle whose half has this tangent. Unlike the library's sine it is the
/// same to the last bit everywhere.
fn unit_vector(tangent_of_half: f32) -> (f32, f32) {
    let square = tangent_of_half * tangent_of_half;
    ((1.0 - square) / (1.0 + square), 2.0 * tangent_of_half / (1.0 + square))
}

/// Any direction.
fn grain(random: &mut RandomStream) -> Point {
    let (x, y) = unit_vector(random.between(-1.0, 1.0));
    if random.chance(0.5) { point(x, y) } else { point(-x, y) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{random_stream::Purpose, shape::Shape, vocabulary::Colour};

    fn scenes() -> impl Iterator<Item = Scene> {
        let composition = Composition { shape: Shape::Star, colour: Colour::Red };
        (0..2_000).map(move |index| {
            Scene::random(composition, 64, &mut RandomStream::new(3, Purpose::Training, index))
        })
    }

    #[test]
    fn a_centre_crop_keeps_the_whole_shape() {
        for scene in scenes() {
            let Nuisance { centre, radius, .. } = scene.nuisance;
            for (at, length) in [(centre.x, scene.width), (centre.y, scene.height)] {
                assert!((at - length as f32 / 2.0).abs() + radius <= 32.01, "{scene:?}");
            }
        }
    }

    #[test]
    fn places_are_on_the_side_that_the_caption_names() {
        for scene in scenes().filter(|scene| scene.size != Size::Large) {
            let right = scene.nuisance.centre.x - scene.width as f32 / 2.0;
            match scene.place.column {
                0 => assert!(right.abs() < 4.0),
                column => assert!(right * f32::from(column) > 0.9, "{scene:?}"),
            }
        }
    }

    #[test]
    fn every_aspect_occurs() {
        let mut frames: Vec<_> = scenes().map(|scene| (scene.width, scene.height)).collect();
        frames.sort_unstable();
        frames.dedup();
        assert_eq!(frames, [(64, 64), (64, 80), (64, 85), (80, 64), (85, 64)]);
    }
}
