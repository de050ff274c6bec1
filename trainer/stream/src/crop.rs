//! Which part of an image a sample shows.

use clipa_recipe::augment::RandomResizedCrop;
use clipa_schemas::random::Random;

/// Draws after which torchvision's RandomResizedCrop takes the centre.
const ATTEMPTS: u32 = 10;

/// A rectangle inside an image, in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CropBox {
    /// Columns to the left of it.
    pub(super) left: u32,
    /// Rows above it.
    pub(super) top: u32,
    /// Columns in it, at least 1.
    pub(super) width: u32,
    /// Rows in it, at least 1.
    pub(super) height: u32,
}

/// A crop of a `width` × `height` image (both at least 1).
///
/// torchvision's definition (`RandomResizedCrop.get_params`): ten tries of area × ratio, rounded half to
/// even, then the centre with the nearest allowed ratio.
pub(super) fn draw_crop(
    crop: &RandomResizedCrop,
    width: u32,
    height: u32,
    random: &mut Random,
) -> CropBox {
    let area = f64::from(width) * f64::from(height);
    let (low, high) = (crop.ratio.0.ln(), crop.ratio.1.ln());
    for _ in 0..ATTEMPTS {
        let target = area * random.range(crop.scale.0, crop.scale.1);
        let ratio = random.range(low, high).exp();
        let crop_width = (target * ratio).sqrt().round_ties_even() as u32;
        let crop_height = (target / ratio).sqrt().round_ties_even() as u32;
        if (1..=width).contains(&crop_width) && (1..=height).contains(&crop_height) {
            let top = random.below(u64::from(height - crop_height) + 1) as u32;
            let left = random.below(u64::from(width - crop_width) + 1) as u32;
            return CropBox { left, top, width: crop_width, height: crop_height };
        }
    }
    fallback(crop, width, height)
}

fn fallback(crop: &RandomResizedCrop, width: u32, height: u32) -> CropBox {
    let ratio = f64::from(width) / f64::from(height);
    let side = |length: f64, most: u32| (length.round_ties_even() as u32).clamp(1, most);
    let (crop_width, crop_height) = if ratio < crop.ratio.0 {
        (width, side(f64::from(width) / crop.ratio.0, height))
    } else if ratio > crop.ratio.1 {
        (side(f64::from(height) * crop.ratio.1, width), height)
    } else {
        (width, height)
    };
    CropBox {
        left: (width - crop_width) / 2,
        top: (height - crop_height) / 2,
        width: crop_width,
        height: crop_height,
    }
}

impl CropBox {
    /// The greatest square in the middle of a `width` × `height` image: what stays of it when its short side is
    /// resized to the target and the centre cropped.
    pub(super) fn centre_square(width: u32, height: u32) -> CropBox {
        let side = width.min(height);
        CropBox { left: (width - side) / 2, top: (height - side) / 2, width: side, height: side }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLIPA: RandomResizedCrop =
        RandomResizedCrop { scale: (0.4, 1.0), ratio: RandomResizedCrop::RATIO };

    proptest! {
        #[test]
        fn a_crop_lies_inside_the_image(
            width in 1u32..2000, height in 1u32..2000, low in 0.0f64..1.0, seed: u64,
        ) {
            let crop = RandomResizedCrop { scale: (low, 1.0), ratio: RandomResizedCrop::RATIO };
            let crop = draw_crop(&crop, width, height, &mut Random::new(seed));
            prop_assert!(crop.width >= 1 && crop.height >= 1);
            prop_assert!(crop.left + crop.width <= width && crop.top + crop.height <= height);
        }
    }

    #[test]
    fn area_and_ratio_spread_over_their_ranges() {
        let mut random = Random::new(1);
        let (mut area_sum, mut log_ratio_sum, mut left, mut top) = (0.0, 0.0, 0.0, 0.0);
        let draws = 20_000;
        for _ in 0..draws {
            let crop = draw_crop(&CLIPA, 1000, 1000, &mut random);
            let area = f64::from(crop.width * crop.height) / 1e6;
            let ratio = f64::from(crop.width) / f64::from(crop.height);
            assert!((0.398..=1.0).contains(&area) && (0.748..=1.336).contains(&ratio));
            area_sum += area;
            log_ratio_sum += ratio.ln();
            left += f64::from(crop.left) / f64::from(1000 - crop.width + 1);
            top += f64::from(crop.top) / f64::from(1000 - crop.height + 1);
        }
        let mean = |sum: f64| sum / f64::from(draws);
        // Crops that do not fit are drawn again, so that the mean area is below 0.7.
        assert!((0.63..0.70).contains(&mean(area_sum)), "{}", mean(area_sum));
        assert!(mean(log_ratio_sum).abs() < 0.01);
        assert!((mean(left) - 0.5).abs() < 0.02 && (mean(top) - 0.5).abs() < 0.02);
    }

    /// Neither end of either range is CLIPA's, and the largest crop fits whatever its ratio is: nothing is drawn twice.
    #[test]
    fn the_ends_of_both_ranges_are_those_that_were_asked_for() {
        let crop = RandomResizedCrop { scale: (0.2, 0.5), ratio: (1.2, 1.9) };
        let mut random = Random::new(2);
        let (mut areas, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..4_000 {
            let drawn = draw_crop(&crop, 1000, 1000, &mut random);
            areas.push(f64::from(drawn.width * drawn.height) / 1e6);
            ratios.push(f64::from(drawn.width) / f64::from(drawn.height));
        }
        for (drawn, (low, high)) in [(areas, crop.scale), (ratios, crop.ratio)] {
            let least = drawn.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = drawn.iter().copied().fold(0.0, f64::max);
            // Sides are whole pixels, hence up to half a percent off.
            assert!((low * 0.995..low * 1.01).contains(&least), "{least}, not {low}");
            assert!((high * 0.99..high * 1.005).contains(&greatest), "{greatest}, not {high}");
        }
    }

    #[test]
    fn the_fallback_has_the_nearest_ratio_that_was_asked_for() {
        let crop = RandomResizedCrop { scale: (0.9, 1.0), ratio: (0.5, 2.0) };
        let drawn = draw_crop(&crop, 1000, 100, &mut Random::new(5));
        assert_eq!(drawn, CropBox { left: 400, top: 0, width: 200, height: 100 });
        let drawn = draw_crop(&crop, 100, 1000, &mut Random::new(5));
        assert_eq!(drawn, CropBox { left: 0, top: 400, width: 100, height: 200 });
        // Narrower than the usual ratios: what they would leave whole is cut.
        let crop = RandomResizedCrop { ratio: (0.9, 1.1), ..crop };
        assert_eq!(fallback(&crop, 80, 100), CropBox { left: 0, top: 5, width: 80, height: 89 });
        assert_eq!(fallback(&crop, 100, 80), CropBox { left: 6, top: 0, width: 88, height: 80 });
    }

    #[test]
    fn a_strip_falls_back_to_its_centre() {
        let crop = draw_crop(&CLIPA, 1000, 100, &mut Random::new(5));
        assert_eq!(crop, CropBox { left: 433, top: 0, width: 133, height: 100 });
        let crop = draw_crop(&CLIPA, 100, 1000, &mut Random::new(5));
        assert_eq!(crop, CropBox { left: 0, top: 433, width: 100, height: 133 });
    }

    #[test]
    fn the_centre_square_is_in_the_centre() {
        let centre = CropBox::centre_square;
        assert_eq!(centre(7, 4), CropBox { left: 1, top: 0, width: 4, height: 4 });
        assert_eq!(centre(4, 4), CropBox { left: 0, top: 0, width: 4, height: 4 });
        assert_eq!(centre(3, 8), CropBox { left: 0, top: 2, width: 3, height: 3 });
    }
}
