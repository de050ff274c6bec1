//! Colour changes of one image in place: brightness, contrast, saturation, hue, grey.
//!
//! The definitions are those of torchvision's `ColorJitter` and `Grayscale` on PIL images (8 bits a channel
//! between the operations), since CLIPA's recipes were tuned with them.

use clipa_recipe::augment::ColourJitter;
use clipa_schemas::random::Random;

/// One change with its drawn strength.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Brightness(f32),
    Contrast(f32),
    Saturation(f32),
    Hue(f64),
}

/// Draws whether, how much and in which order, and changes the RGB `pixels` accordingly.
pub(super) fn jitter_colours(jitter: &ColourJitter, pixels: &mut [u8], random: &mut Random) {
    if random.unit() >= jitter.probability {
        return;
    }
    for change in draw_changes(jitter, random).into_iter().flatten() {
        change.apply(pixels);
    }
}

fn draw_changes(jitter: &ColourJitter, random: &mut Random) -> [Option<Change>; 4] {
    let mut factor = |extent: f64| {
        (extent > 0.0).then(|| random.range((1.0 - extent).max(0.0), 1.0 + extent) as f32)
    };
    let mut changes = [
        factor(jitter.brightness).map(Change::Brightness),
        factor(jitter.contrast).map(Change::Contrast),
        factor(jitter.saturation).map(Change::Saturation),
        None,
    ];
    changes[3] = (jitter.hue > 0.0).then(|| Change::Hue(random.range(-jitter.hue, jitter.hue)));
    random.shuffle(&mut changes);
    changes
}

impl Change {
    fn apply(self, pixels: &mut [u8]) {
        match self {
            Change::Brightness(factor) => look_up(pixels, |value| blend(0, value, factor)),
            Change::Contrast(factor) => {
                let mean = mean_grey(pixels);
                look_up(pixels, |value| blend(mean, value, factor));
            }
            Change::Saturation(factor) => {
                for pixel in pixels.as_chunks_mut::<3>().0 {
                    let grey = grey(*pixel);
                    *pixel = pixel.map(|value| blend(grey, value, factor));
                }
            }
            Change::Hue(shift) => {
                // The number that torchvision adds: truncated towards zero, modulo 256.
                let shift = (shift * 255.0) as i32 as u8;
                for pixel in pixels.as_chunks_mut::<3>().0 {
                    let [hue, saturation, value] = hsv(*pixel);
                    *pixel = rgb([hue.wrapping_add(shift), saturation, value]);
                }
            }
        }
    }
}

/// Replaces every pixel by its grey, in three equal channels.
pub(super) fn to_grey(pixels: &mut [u8]) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        *pixel = [grey(*pixel); 3];
    }
}

fn look_up(pixels: &mut [u8], change: impl Fn(u8) -> u8) {
    let table: [u8; 256] = std::array::from_fn(|value| change(value as u8));
    for value in pixels {
        *value = table[usize::from(*value)];
    }
}

/// PIL's `Image.blend`: from `plain` at factor 0 to `value` at 1 and on beyond, cut off to 8 bits.
fn blend(plain: u8, value: u8, factor: f32) -> u8 {
    let (plain, value) = (f32::from(plain), f32::from(value));
    (plain + factor * (value - plain)) as u8
}

/// ITU-R 601 luma in PIL's fixed point (`convert("L")`).
fn grey([red, green, blue]: [u8; 3]) -> u8 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
    ((sum + 0x8000) >> 16) as u8
}

/// The mean grey, rounded half up, as `ImageEnhance.Contrast` takes it.
fn mean_grey(pixels: &[u8]) -> u8 {
    let (pixels, _) = pixels.as_chunks::<3>();
    let sum: u64 = pixels.iter().map(|&pixel| u64::from(grey(pixel))).sum();
    let count = (pixels.len() as u64).max(1);
    ((2 * sum + count) / (2 * count)) as u8
}

/// RGB to hue, saturation and value of 8 bits each, truncated as PIL does (after Python's colorsys).
fn hsv([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let most = red.max(green).max(blue);
    let least = red.min(green).min(blue);
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    // PIL computes in double and keeps in single precision; truncation makes the difference visible.
    let away = |channel: u8| f64::from(f32::from(most - channel) / range);
    let sixths = if red == most {
        away(blue) - away(green)
    } else if green == most {
        2.0 + away(red) - away(blue)
    } else {
        4.0 + away(green) - away(red)
    };
    let turn = f64::from(sixths as f32) / 6.0 + 1.0;
    // Below 2, so this is the fraction; without SSE4.1 `fract` would be a call for every pixel.
    let turn = (if turn >= 1.0 { turn - 1.0 } else { turn }) as f32;
    let eight_bits = |part: f32| (f64::from(part) * 255.0) as u8;
    [eight_bits(turn), eight_bits(range / f32::from(most)), most]
}

/// Where each hue lies: its sixth of the circle, and how far into it.
static SIXTHS: [(u8, f32); 256] = {
    let mut sixths = [(0, 0.0); 256];
    let mut hue = 0;
    while hue < 256 {
        let place = hue as f64 * 6.0 / 255.0;
        let sector = place as u8;
        sixths[hue] = (sector, (place - sector as f64) as f32);
        hue += 1;
    }
    sixths
};

/// The way back, rounded half up as PIL does.
fn rgb([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let (sector, within) = SIXTHS[usize::from(hue)];
    let strength = f32::from(saturation) / 255.0;
    let scaled = |part: f64| (f64::from(value) * (1.0 - part) + 0.5) as u8;
    let least = scaled(f64::from(strength));
    let falling = || scaled(f64::from(strength * within));
    let rising = || scaled(f64::from(strength) * (1.0 - f64::from(within)));
    match sector {
        0 | 6 => [value, rising(), least],
        1 => [falling(), value, least],
        2 => [least, value, rising()],
        3 => [least, falling(), value],
        4 => [rising(), least, value],
        _ => [value, least, falling()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        (0..8 * 8 * 3u32).map(|i| ((i * 37 + (i * i) / 5 * 3) % 256) as u8).collect()
    }

    /// FNV-1a, as `cargo xtask peers model` computes it over what torchvision makes of Pillow's images.
    fn hash(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
    }

    fn changed(change: Change) -> u64 {
        let mut pixels = sample();
        change.apply(&mut pixels);
        hash(&pixels)
    }

    #[test]
    fn changes_make_the_bytes_of_pillow() {
        assert_eq!(hash(&sample()), 0x1076_0d57_7566_78fe);
        assert_eq!(changed(Change::Brightness(0.7)), 0x024e_275b_6313_df4d);
        assert_eq!(changed(Change::Brightness(1.25)), 0xc01f_89f8_fb33_7feb);
        assert_eq!(changed(Change::Contrast(0.7)), 0xdd7b_dad1_91d8_7a01);
        assert_eq!(changed(Change::Contrast(1.25)), 0x6fab_6eab_82e6_15be);
        assert_eq!(changed(Change::Saturation(0.7)), 0x6305_d1b8_6c37_1493);
        assert_eq!(changed(Change::Saturation(1.25)), 0xa8f7_3d0e_27b6_588c);
        assert_eq!(changed(Change::Hue(-0.08)), 0xe416_cd92_6905_2f5b);
        assert_eq!(changed(Change::Hue(0.0)), 0x6710_8db1_45a9_91c3);
        assert_eq!(changed(Change::Hue(0.05)), 0x08f2_6030_b304_b81e);
        let mut pixels = sample();
        to_grey(&mut pixels);
        assert_eq!(hash(&pixels), 0x2326_825f_c2a0_b553);
    }

    #[test]
    fn hue_makes_the_bytes_of_pillow_over_the_colour_cube() {
        let grid: Vec<u8> = (0..=255u8)
            .step_by(5)
            .flat_map(|red| (0..=255u8).step_by(3).map(move |green| (red, green)))
            .flat_map(|(red, green)| (0..=255u8).flat_map(move |blue| [red, green, blue]))
            .collect();
        for (shift, expected) in [(-0.08, 0x4199_16cf_0ed4_9486), (0.05, 0xd5b0_142d_0393_dc33)] {
            let mut pixels = grid.clone();
            Change::Hue(shift).apply(&mut pixels);
            assert_eq!(hash(&pixels), expected, "{shift}");
        }
    }

    #[test]
    fn the_order_and_the_strengths_vary_and_the_probability_holds() {
        let jitter = ColourJitter {
            brightness: 0.32,
            contrast: 0.32,
            saturation: 0.32,
            hue: 0.08,
            probability: 0.8,
        };
        let mut random = Random::new(4);
        let (mut firsts, mut untouched) = ([0u32; 4], 0u32);
        for _ in 0..4000 {
            match draw_changes(&jitter, &mut random)[0] {
                Some(Change::Brightness(factor)) => {
                    assert!((0.68..1.32001).contains(&factor));
                    firsts[0] += 1;
                }
                Some(Change::Contrast(_)) => firsts[1] += 1,
                Some(Change::Saturation(_)) => firsts[2] += 1,
                Some(Change::Hue(shift)) => {
                    assert!((-0.08..0.08).contains(&shift));
                    firsts[3] += 1;
                }
                None => unreachable!("every extent is above zero"),
            }
            let mut pixels = [200, 100, 50];
            jitter_colours(&jitter, &mut pixels, &mut random);
            untouched += u32::from(pixels == [200, 100, 50]);
        }
        assert!(firsts.iter().all(|count| (850..1150).contains(count)), "{firsts:?}");
        assert!((700..950).contains(&untouched), "{untouched}");
    }
}
