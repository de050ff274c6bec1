//! The shapes that are drawn, each inside the unit disc.

use super::geometry::{Point, disc, point, polygon};

/// A shape, named as captions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Shape {
    Circle,
    Square,
    Triangle,
    Star,
    Cross,
    Heart,
    Ring,
    Diamond,
    Arrow,
    Crescent,
    Hexagon,
    Hourglass,
}

impl Shape {
    /// Every shape; a smaller vocabulary takes the first ones.
    #[rustfmt::skip]
    pub const ALL: [Shape; 12] = [
        Shape::Circle, Shape::Square, Shape::Triangle, Shape::Star, Shape::Cross, Shape::Heart,
        Shape::Ring, Shape::Diamond, Shape::Arrow, Shape::Crescent, Shape::Hexagon, Shape::Hourglass,
    ];

    /// The noun.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Circle => "circle",
            Shape::Square => "square",
            Shape::Triangle => "triangle",
            Shape::Star => "star",
            Shape::Cross => "cross",
            Shape::Heart => "heart",
            Shape::Ring => "ring",
            Shape::Diamond => "diamond",
            Shape::Arrow => "arrow",
            Shape::Crescent => "crescent",
            Shape::Hexagon => "hexagon",
            Shape::Hourglass => "hourglass",
        }
    }

    /// Signed distance from a point to the outline, negative inside, at most the true distance.
    pub fn distance(self, at: Point) -> f32 {
        match self {
            Shape::Circle => disc(at, ORIGIN, 0.88),
            Shape::Square => polygon(at, &SQUARE),
            Shape::Triangle => polygon(at, &TRIANGLE),
            Shape::Star => polygon(at, &STAR),
            Shape::Cross => polygon(at, &CROSS),
            Shape::Heart => heart(at),
            Shape::Ring => disc(at, ORIGIN, RING_RADIUS).abs() - RING_HALF_WIDTH,
            Shape::Diamond => polygon(at, &DIAMOND),
            Shape::Arrow => polygon(at, &ARROW),
            Shape::Crescent => disc(at, ORIGIN, 0.95).max(-disc(at, BITE, 0.78)),
            Shape::Hexagon => polygon(at, &HEXAGON),
            Shape::Hourglass => polygon(at, &HOURGLASS),
        }
    }
}

/// Two lobes and the wedge below them.
fn heart(at: Point) -> f32 {
    let left = disc(at, point(-0.43, -0.33), 0.46);
    let right = disc(at, point(0.43, -0.33), 0.46);
    left.min(right).min(polygon(at, &HEART_WEDGE))
}

const ORIGIN: Point = point(0.0, 0.0);
const RING_RADIUS: f32 = 0.72;
const RING_HALF_WIDTH: f32 = 0.17;
/// Centre of the disc that is bitten out of the crescent.
const BITE: Point = point(0.42, -0.12);

/// The corners of a figure in turn, each as right and down.
const fn outline<const N: usize>(corners: [(f32, f32); N]) -> [Point; N] {
    let mut points = [ORIGIN; N];
    let mut place = 0;
    while place < N {
        points[place] = point(corners[place].0, corners[place].1);
        place += 1;
    }
    points
}

const SQUARE: [Point; 4] = outline([(-0.75, -0.75), (0.75, -0.75), (0.75, 0.75), (-0.75, 0.75)]);
const TRIANGLE: [Point; 3] = outline([(0.0, -0.98), (0.86, 0.58), (-0.86, 0.58)]);
/// Five points, inner radius 0.42 of the outer one.
#[rustfmt::skip]
const STAR: [Point; 10] = outline([
    (0.0, -1.0), (0.2469, -0.3398), (0.9511, -0.3090), (0.3994, 0.1298), (0.5878, 0.8090),
    (0.0, 0.42), (-0.5878, 0.8090), (-0.3994, 0.1298), (-0.9511, -0.3090), (-0.2469, -0.3398),
]);
#[rustfmt::skip]
const CROSS: [Point; 12] = outline([
    (-0.28, -0.92), (0.28, -0.92), (0.28, -0.28), (0.92, -0.28),
    (0.92, 0.28), (0.28, 0.28), (0.28, 0.92), (-0.28, 0.92),
    (-0.28, 0.28), (-0.92, 0.28), (-0.92, -0.28), (-0.28, -0.28),
]);
const HEART_WEDGE: [Point; 4] = outline([(-0.82, -0.08), (0.0, -0.33), (0.82, -0.08), (0.0, 0.92)]);
const DIAMOND: [Point; 4] = outline([(0.0, -1.0), (0.6, 0.0), (0.0, 1.0), (-0.6, 0.0)]);
/// Points to the right.
#[rustfmt::skip]
const ARROW: [Point; 7] = outline([
    (-0.95, -0.24), (0.1, -0.24), (0.1, -0.7), (0.98, 0.0),
    (0.1, 0.7), (0.1, 0.24), (-0.95, 0.24),
]);
#[rustfmt::skip]
const HEXAGON: [Point; 6] = outline([
    (0.46, -0.7967), (0.92, 0.0), (0.46, 0.7967),
    (-0.46, 0.7967), (-0.92, 0.0), (-0.46, -0.7967),
]);
#[rustfmt::skip]
const HOURGLASS: [Point; 8] = outline([
    (-0.64, -0.84), (0.64, -0.84), (0.11, -0.05), (0.11, 0.05),
    (0.64, 0.84), (-0.64, 0.84), (-0.11, 0.05), (-0.11, -0.05),
]);

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f32 = 0.02;

    /// Points of the square that holds the unit disc, with the distance of a shape there.
    fn field(shape: Shape) -> Vec<(Point, f32)> {
        let line = || (-60..=60).map(|i| i as f32 * STEP);
        line()
            .flat_map(|y| line().map(move |x| point(x, y)))
            .map(|p| (p, shape.distance(p)))
            .collect()
    }

    #[test]
    fn every_shape_fills_a_fair_part_of_the_unit_disc_and_nothing_else() {
        for shape in Shape::ALL {
            let field = field(shape);
            for (point, distance) in &field {
                assert!(*distance > 0.0 || point.length() <= 1.07, "{shape:?} at {point:?}");
            }
            let inside = field.iter().filter(|(_, distance)| *distance < 0.0).count();
            let area = inside as f32 * STEP * STEP;
            assert!((0.8..2.6).contains(&area), "{shape:?} covers {area}");
        }
    }

    #[test]
    fn a_distance_never_says_more_than_the_truth() {
        // A step changes the distance by no more than its own length, so the sign cannot flip sooner
        // than the value promises.
        for shape in Shape::ALL {
            let field = field(shape);
            for pair in field.windows(2).filter(|pair| pair[0].0.y == pair[1].0.y) {
                let change = (pair[1].1 - pair[0].1).abs();
                assert!(change <= STEP * 1.01, "{shape:?} at {:?}: {change}", pair[0].0);
            }
        }
    }

    #[test]
    fn no_two_shapes_look_alike() {
        for (index, one) in Shape::ALL.iter().enumerate() {
            for other in &Shape::ALL[index + 1..] {
                let (one_field, other_field) = (field(*one), field(*other));
                let differ =
                    one_field.iter().zip(&other_field).filter(|(a, b)| (a.1 < 0.0) != (b.1 < 0.0));
                let area = differ.count() as f32 * STEP * STEP;
                assert!(area > 0.25, "{one:?} and {other:?} differ in {area}");
            }
        }
    }
}
