//! JPEGs that are scaled while they are decoded.

use std::collections::BTreeMap;

use image::{Rgb, RgbImage};

use super::{super::*, jpeg_of, psnr, rendered};

const OCTAVES: usize = 7;

/// Waves of every length, each as strong as it is long, as in photographs; and an edge at each border.
fn photograph(width: u32, height: u32) -> RgbImage {
    let waves = |channel: usize| {
        (0..OCTAVES).map(move |octave| {
            let angle = [0.0f32, 1.0, 2.5][channel] + 1.7 * octave as f32;
            let cycles = 3.0 * 2f32.powi(octave as i32) * std::f32::consts::TAU;
            (angle, cycles * angle.cos(), cycles * angle.sin(), 0.6f32.powi(octave as i32))
        })
    };
    // sin(a + b) of place across and place down, so that a pixel costs no sine.
    let along = |side: u32, phase: f32, turns: f32| -> Vec<(f32, f32)> {
        (0..side).map(|at| (phase + turns * at as f32 / side as f32).sin_cos()).collect()
    };
    let levels = [0, 1, 2].map(|channel| {
        let mut level = vec![0f32; (width * height) as usize];
        for (angle, across, down, strength) in waves(channel) {
            let (across, down) = (along(width, angle, across), along(height, 0.0, down));
            for (row, (sin_y, cos_y)) in level.chunks_exact_mut(width as usize).zip(down) {
                for (level, (sin_x, cos_x)) in row.iter_mut().zip(&across) {
                    *level += strength * (sin_x * cos_y + cos_x * sin_y);
                }
            }
        }
        level
    });
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        let is_border = u.min(v).min(1.0 - u).min(1.0 - v) < 0.02;
        let base = if is_border { 190.0 } else { 110.0 };
        let at = (y * width + x) as usize;
        Rgb([0, 1, 2].map(|channel| (base + 32.0 * levels[channel][at]).clamp(0.0, 255.0) as u8))
    })
}

/// A drawn photograph of every size around a multiple of eight, in every orientation, at every divisor: what is stored is
/// what a full decode shows, at least 48 dB.
#[test]
fn a_scaled_jpeg_is_neither_shifted_nor_stretched_whatever_its_size() {
    let mut worst = BTreeMap::new();
    for more in 0..9 {
        let (width, height) = (1024 + more, 1024 + (more * 5) % 9);
        let jpeg = jpeg_of(&photograph(width, height), 95);
        let orientation = Orientation::from_exif(more % 8 + 1);
        let full = decode(&jpeg, &DecodeLimits::default(), orientation).unwrap();
        for side in [64, 128] {
            let limits = DecodeLimits { largest_side_px: Some(side), ..DecodeLimits::default() };
            let scaled = decode(&jpeg, &limits, orientation).unwrap();
            assert_eq!(scaled.full_size, full.full_size);
            for column in [format!("{side}:rgb8-square"), format!("{side}:rgb8")] {
                let small = |decoded| rendered(decoded, &jpeg, &column).remove(0);
                let (ours, whole) = (small(&scaled), small(&full));
                assert_eq!((ours.width, ours.height), (whole.width, whole.height));
                let ratio = psnr(&ours.bytes, &whole.bytes);
                let worst = worst.entry(scaled.divisor).or_insert((f64::INFINITY, 0, 0));
                if ratio < worst.0 {
                    *worst = (ratio, width, height);
                }
            }
        }
    }
    println!("least PSNR by divisor, with the size: {worst:?}");
    assert!(worst.keys().eq([&2, &4]), "{worst:?}");
    assert!(worst.values().all(|(ratio, ..)| *ratio >= 48.0), "{worst:?}");
}
