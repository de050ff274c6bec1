//! From a scene to pixels: signed distances, with 4 x 4 samples in the pixels that an outline crosses.

use super::{
    geometry::{Point, point},
    random_stream::RandomStream,
    scene::Scene,
    vocabulary::{Pattern, Rgb},
};

/// Half the diagonal of a pixel and a little: farther from the outline a pixel is of one colour.
const EDGE_PX: f32 = 0.75;
/// Samples across a pixel on an outline.
const SAMPLES: u32 = 4;

/// Paints the scene: `height` rows of `width` pixels of red, green and blue. The noise comes from
/// `random`.
pub fn paint(scene: &Scene, random: &mut RandomStream) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(scene.width as usize * scene.height as usize * 3);
    for row in 0..scene.height {
        for column in 0..scene.width {
            let at = point(column as f32 + 0.5, row as f32 + 0.5);
            let ground = ground_colour(scene, at, random);
            let share = coverage(|point| shape_distance(scene, point), at);
            let colour = mix(ground, shape_colour(scene, at), share);
            pixels.extend(colour.map(|channel| {
                let seen = channel * scene.nuisance.gain + random.normal() * scene.nuisance.noise;
                // A cast from float to u8 saturates.
                seen.round() as u8
            }));
        }
    }
    pixels
}

/// Share of the pixel that is inside the outline.
fn coverage(distance: impl Fn(Point) -> f32, centre: Point) -> f32 {
    let middle = distance(centre);
    if middle.abs() > EDGE_PX {
        return if middle < 0.0 { 1.0 } else { 0.0 };
    }
    let offset = |step: u32| (step as f32 + 0.5) / SAMPLES as f32 - 0.5;
    let inside = (0..SAMPLES * SAMPLES)
        .map(|sample| {
            point(centre.x + offset(sample % SAMPLES), centre.y + offset(sample / SAMPLES))
        })
        .filter(|&point| distance(point) < 0.0)
        .count();
    inside as f32 / (SAMPLES * SAMPLES) as f32
}

/// Signed distance in pixels from a point of the picture to the outline of the shape.
fn shape_distance(scene: &Scene, at: Point) -> f32 {
    let own = own_frame(scene, at);
    scene.composition.shape.distance(own) * scene.nuisance.radius
}

/// The point as the shape sees it: unit radius, not turned.
fn own_frame(scene: &Scene, at: Point) -> Point {
    let nuisance = &scene.nuisance;
    let (cosine, sine) = nuisance.turn;
    let (x, y) = (at.x - nuisance.centre.x, at.y - nuisance.centre.y);
    point((x * cosine + y * sine) / nuisance.radius, (y * cosine - x * sine) / nuisance.radius)
}

fn shape_colour(scene: &Scene, at: Point) -> Rgb {
    let (left, right) = scene.nuisance.shading;
    let along = (own_frame(scene, at).x / 2.0 + 0.5).clamp(0.0, 1.0);
    scene.nuisance.paint.map(|channel| channel * (left + (right - left) * along))
}

fn ground_colour(scene: &Scene, at: Point, random: &mut RandomStream) -> Rgb {
    let nuisance = &scene.nuisance;
    let [first, second] = nuisance.ground;
    let share = pattern_share(scene, at, random);
    let mut colour = mix(first, second, share);
    for (centre, radius) in &nuisance.clutter {
        let gap = |to: Point| point(to.x - centre.x, to.y - centre.y).length() - radius;
        colour = mix(colour, if share > 0.5 { first } else { second }, coverage(gap, at));
    }
    colour
}

/// How much of the second background colour is at a point.
fn pattern_share(scene: &Scene, at: Point, random: &mut RandomStream) -> f32 {
    let nuisance = &scene.nuisance;
    let along = at.x * nuisance.grain.x + at.y * nuisance.grain.y;
    let across = at.y * nuisance.grain.x - at.x * nuisance.grain.y;
    match scene.pattern {
        Pattern::Plain => 0.0,
        Pattern::Stripes => band(along, nuisance.period),
        Pattern::Checks => {
            let (one, other) = (band(along, nuisance.period), band(across, nuisance.period));
            one + other - 2.0 * one * other
        }
        Pattern::Speckles => random.between(0.0, 1.0),
        Pattern::Gradient => {
            let reach = (scene.width + scene.height) as f32;
            // Three times the contrast of a pattern, since it is spread over the whole picture.
            3.0 * (along / reach).abs()
        }
    }
}

/// 0 in the first half of every period, 1 in the second, with ramps a pixel wide between them.
fn band(position: f32, period: f32) -> f32 {
    let phase = position - (position / period).floor() * period;
    let to_middle = (phase - period / 2.0).abs();
    // In the first half of a folded period the distance to the middle falls from period/2 to 0.
    (period / 4.0 - to_middle + 0.5).clamp(0.0, 1.0)
}

fn mix(from: Rgb, to: Rgb, share: f32) -> Rgb {
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        geometry::disc,
        random_stream::Purpose,
        shape::Shape,
        vocabulary::{Colour, Composition},
    };

    #[test]
    fn coverage_adds_up_to_the_area() {
        let (centre, radius) = (point(16.3, 15.8), 9.7);
        let area: f32 = (0..32 * 32)
            .map(|pixel| point((pixel % 32) as f32 + 0.5, (pixel / 32) as f32 + 0.5))
            .map(|at| coverage(|point| disc(point, centre, radius), at))
            .sum();
        let truth = std::f32::consts::PI * radius * radius;
        assert!((area - truth).abs() < 0.01 * truth, "{area} of {truth}");
    }

    #[test]
    fn the_shape_has_its_colour_and_the_noise_comes_from_the_stream() {
        for (index, colour) in Colour::ALL.into_iter().enumerate() {
            let mut random = RandomStream::new(11, Purpose::Training, index as u64);
            let composition = Composition { shape: Shape::Circle, colour };
            let mut scene = Scene::random(composition, 64, &mut random);
            scene.nuisance.gain = 1.0;
            let pixels = paint(&scene, &mut random.clone());
            assert_eq!(pixels.len(), (scene.width * scene.height * 3) as usize);
            assert_eq!(pixels, paint(&scene, &mut random));
            let Point { x, y } = scene.nuisance.centre;
            let middle = (y as usize * scene.width as usize + x as usize) * 3;
            for (channel, truth) in colour.rgb().into_iter().enumerate() {
                let seen = f32::from(pixels[middle + channel]);
                assert!((seen - truth).abs() < 75.0, "{colour:?}: {seen} for {truth}");
            }
        }
    }

    #[test]
    fn bands_are_half_and_half() {
        let sum: f32 = (0..1_000).map(|i| band(i as f32 * 0.1 - 37.0, 10.0)).sum();
        assert!((sum / 1_000.0 - 0.5).abs() < 0.01, "{sum}");
    }
}
