//! Pixels of every kind to 8-bit RGB.

/// CMYK to RGB without a profile, as Pillow and browsers without colour management do it: each ink dims what the
/// key leaves. Adobe writes inverted inks (255 = none), which `is_inverted` says.
pub(super) fn rgb_from_cmyk(cmyk: &[u8], is_inverted: bool) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(cmyk.len() / 4 * 3);
    for pixel in cmyk.chunks_exact(4) {
        let left = |ink: u8| if is_inverted { ink } else { 255 - ink };
        let key = left(pixel[3]);
        rgb.extend(pixel[..3].iter().map(|&ink| scaled(left(ink), key)));
    }
    rgb
}

/// One grey channel to three.
pub(super) fn rgb_from_grey(grey: &[u8]) -> Vec<u8> {
    grey.iter().flat_map(|&level| [level; 3]).collect()
}

/// Grey with alpha over white; true where anything was transparent.
pub(super) fn rgb_from_grey_alpha(pixels: &[u8]) -> (Vec<u8>, bool) {
    let mut rgb = Vec::with_capacity(pixels.len() / 2 * 3);
    let mut was_transparent = false;
    for pixel in pixels.chunks_exact(2) {
        was_transparent |= pixel[1] != 255;
        rgb.extend_from_slice(&[over_white(pixel[0], pixel[1]); 3]);
    }
    (rgb, was_transparent)
}

/// RGB with alpha over white; true where anything was transparent.
pub(super) fn rgb_from_rgba(pixels: &[u8]) -> (Vec<u8>, bool) {
    let mut rgb = Vec::with_capacity(pixels.len() / 4 * 3);
    let mut was_transparent = false;
    for pixel in pixels.chunks_exact(4) {
        was_transparent |= pixel[3] != 255;
        rgb.extend(pixel[..3].iter().map(|&level| over_white(level, pixel[3])));
    }
    (rgb, was_transparent)
}

/// 16-bit channels (native byte order) to the nearest of 8 bits.
pub(super) fn eight_bit(sixteen: &[u8]) -> Vec<u8> {
    let narrow = |pair: &[u8]| {
        let wide = u32::from(u16::from_ne_bytes([pair[0], pair[1]]));
        ((wide + 128) / 257) as u8
    };
    sixteen.chunks_exact(2).map(narrow).collect()
}

/// a·b/255, rounded.
fn scaled(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
}

fn over_white(level: u8, alpha: u8) -> u8 {
    let (level, alpha) = (u32::from(level), u32::from(alpha));
    ((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_dim_white_and_inverted_inks_are_what_is_left() {
        let plain = [0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255, 100, 50, 0, 55];
        let rgb = [255, 255, 255, 0, 255, 255, 0, 0, 0, 122, 161, 200];
        assert_eq!(rgb_from_cmyk(&plain, false), rgb);
        let inverted: Vec<u8> = plain.iter().map(|ink| 255 - ink).collect();
        assert_eq!(rgb_from_cmyk(&inverted, true), rgb);
    }

    #[test]
    fn transparency_shows_white() {
        assert_eq!(rgb_from_rgba(&[10, 20, 30, 255]), (vec![10, 20, 30], false));
        assert_eq!(rgb_from_rgba(&[10, 20, 30, 0]), (vec![255; 3], true));
        assert_eq!(rgb_from_grey_alpha(&[0, 128]), (vec![127; 3], true));
        assert_eq!(rgb_from_grey(&[7, 8]), [7, 7, 7, 8, 8, 8]);
    }

    #[test]
    fn sixteen_bits_round_to_eight() {
        let wide: Vec<u8> = [0u16, 128, 129, 257, 65407, 65535]
            .iter()
            .flat_map(|level| level.to_ne_bytes())
            .collect();
        assert_eq!(eight_bit(&wide), [0, 0, 1, 1, 255, 255]);
    }
}
