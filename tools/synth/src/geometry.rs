//! Signed distances to plain figures, in a plane whose y axis points down.
//!
//! Negative inside. Every function returns at most the true distance, so that a pixel farther from the
//! outline than its own half diagonal is wholly inside or wholly outside.

/// A point, or the vector to it from the origin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

/// The point at these coordinates.
pub const fn point(x: f32, y: f32) -> Point {
    Point { x, y }
}

impl Point {
    fn minus(self, other: Point) -> Point {
        point(self.x - other.x, self.y - other.y)
    }

    fn dot(self, other: Point) -> f32 {
        self.x * other.x + self.y * other.y
    }

    /// Length of the vector.
    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }
}

/// Distance to a disc.
pub fn disc(at: Point, centre: Point, radius: f32) -> f32 {
    at.minus(centre).length() - radius
}

/// Distance to a polygon that does not cross itself, whichever way round its corners are listed.
pub fn polygon(at: Point, corners: &[Point]) -> f32 {
    let mut nearest = f32::INFINITY;
    let mut inside = false;
    for (index, &start) in corners.iter().enumerate() {
        let end = corners[(index + 1) % corners.len()];
        nearest = nearest.min(squared_distance_to_edge(at, start, end));
        inside ^= crosses_rightward_ray(at, start, end);
    }
    if inside { -nearest.sqrt() } else { nearest.sqrt() }
}

fn squared_distance_to_edge(at: Point, start: Point, end: Point) -> f32 {
    let edge = end.minus(start);
    let along = (at.minus(start).dot(edge) / edge.dot(edge)).clamp(0.0, 1.0);
    let foot = point(start.x + along * edge.x, start.y + along * edge.y);
    let gap = at.minus(foot);
    gap.dot(gap)
}

/// Whether the ray from `at` to the right meets the edge: an odd number of meetings is inside.
fn crosses_rightward_ray(at: Point, start: Point, end: Point) -> bool {
    (start.y > at.y) != (end.y > at.y)
        && at.x < start.x + (at.y - start.y) / (end.y - start.y) * (end.x - start.x)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: [Point; 4] =
        [point(-1.0, -1.0), point(1.0, -1.0), point(1.0, 1.0), point(-1.0, 1.0)];

    #[test]
    fn distances_to_a_square_are_exact() {
        assert_eq!(polygon(point(0.0, 0.0), &SQUARE), -1.0);
        assert_eq!(polygon(point(0.75, 0.0), &SQUARE), -0.25);
        assert_eq!(polygon(point(3.0, 0.5), &SQUARE), 2.0);
        assert_eq!(polygon(point(4.0, 5.0), &SQUARE), 5.0);
    }

    #[test]
    fn a_dent_is_outside() {
        let dented = [SQUARE[0], SQUARE[1], SQUARE[2], SQUARE[3], point(0.5, 0.0)];
        assert!(polygon(point(0.0, 0.0), &dented) > 0.0);
        assert!(polygon(point(0.75, 0.0), &dented) < 0.0);
    }
}
