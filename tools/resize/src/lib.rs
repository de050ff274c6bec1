//! RGB pictures resized as Pillow does it, by `fast_image_resize`: convolution with anti-aliasing, in every processor's
//! vector instructions, with the same bytes from each of them.
//!
//! A crate of its own, because the kernels are generic and would be compiled for each of our crates that calls them, and
//! for its tests once more: they were half of the code of two crates.

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions,
    images::{TypedCroppedImage, TypedImage, TypedImageRef},
    pixels::U8x3,
};

/// How pixels between pixels are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Catmull-Rom, `a = -0.5`: Pillow's BICUBIC.
    Bicubic,
    /// Pillow's BILINEAR.
    Bilinear,
}

/// Which part of a picture is resized, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// A box with fractions of pixels, Pillow's `resize(box=)`: the kernel reaches across its border.
    Box {
        /// Columns to the left of it.
        left: f64,
        /// Rows above it.
        top: f64,
        /// Columns in it.
        width: f64,
        /// Rows in it.
        height: f64,
    },
    /// Whole pixels, cut out first: the kernel sees nothing outside, as torchvision's `resized_crop` does it.
    Cut {
        /// Columns to the left of it.
        left: u32,
        /// Rows above it.
        top: u32,
        /// Columns in it.
        width: u32,
        /// Rows in it.
        height: u32,
    },
}

/// RGB rows from the top, `width` · `height` · 3 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'p> {
    /// The rows.
    pub rgb: &'p [u8],
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// A picture of another length than its sides say, or a part that is not inside it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ResizeError(String);

/// Resizes one picture after the other, in the memory of the one before.
#[derive(Debug, Default)]
pub struct Resizer {
    kernels: fast_image_resize::Resizer,
}

impl Resizer {
    /// With the best instructions that the processor has.
    pub fn new() -> Resizer {
        Resizer::default()
    }

    /// Fills `target`, RGB rows of `width` × `height` pixels, with a part of a picture. Where the part has that size and lies
    /// on whole pixels they are copied.
    ///
    /// # Errors
    /// The picture or the target has not as many bytes as its sides say; the part is not inside the picture.
    pub fn resize(
        &mut self,
        from: Picture<'_>,
        part: Part,
        filter: Filter,
        target: &mut [u8],
        (width, height): (u32, u32),
    ) -> Result<(), ResizeError> {
        let filter = match filter {
            Filter::Bicubic => FilterType::CatmullRom,
            Filter::Bilinear => FilterType::Bilinear,
        };
        let options =
            ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
        let source =
            TypedImageRef::<U8x3>::from_buffer(from.width, from.height, from.rgb).map_err(said)?;
        let mut target = TypedImage::<U8x3>::from_buffer(width, height, target).map_err(said)?;
        match part {
            Part::Box { left, top, width, height } => {
                let options = options.crop(left, top, width, height);
                self.kernels.resize_typed(&source, &mut target, &options).map_err(said)
            }
            Part::Cut { left, top, width, height } => {
                let source = TypedCroppedImage::from_ref(&source, left, top, width, height);
                let source = source.map_err(said)?;
                self.kernels.resize_typed(&source, &mut target, &options).map_err(said)
            }
        }
    }
}

fn said(error: impl std::fmt::Display) -> ResizeError {
    ResizeError(error.to_string())
}

#[cfg(test)]
mod tests {
    use fast_image_resize::CpuExtensions;

    use super::*;

    /// A resizer that uses these instructions, where the machine has them.
    #[allow(unsafe_code)]
    fn with(extensions: CpuExtensions) -> Option<Resizer> {
        let mut resizer = Resizer::new();
        if !extensions.is_supported() {
            return None;
        }
        // Benefit: the only way to prove that stored bytes do not depend on the machine; only in this test.
        // SAFETY: the machine supports the extensions, which is all that the function asks for.
        unsafe { resizer.kernels.set_cpu_extensions(extensions) };
        Some(resizer)
    }

    fn drawn(width: u32, height: u32) -> Vec<u8> {
        let pixel = |at: u32| {
            let (x, y) = (at % width, at / width);
            [(x * 7 + y) as u8, (y * 5) as u8 ^ (x * 3) as u8, (x * y) as u8]
        };
        (0..width * height).flat_map(pixel).collect()
    }

    fn resized(resizer: &mut Resizer, rgb: &[u8], sides: (u32, u32), part: Part) -> Vec<u8> {
        let mut all = Vec::new();
        for (width, height) in [(224, 224), (64, 64), (101, 75), (84, 84)] {
            for filter in [Filter::Bicubic, Filter::Bilinear] {
                let from = Picture { rgb, width: sides.0, height: sides.1 };
                let mut target = vec![0; (width * height * 3) as usize];
                resizer.resize(from, part, filter, &mut target, (width, height)).unwrap();
                all.extend(target);
            }
        }
        all
    }

    #[test]
    fn stored_bytes_do_not_depend_on_the_instruction_set() {
        for (width, height) in [(256, 256), (341, 256), (97, 301), (50, 40)] {
            let rgb = drawn(width, height);
            let [w, h] = [width, height].map(f64::from);
            let parts = [
                Part::Box { left: 0.0, top: 0.0, width: w, height: h },
                Part::Box { left: 3.25, top: 0.5, width: w - 7.75, height: h - 0.5 },
                Part::Cut { left: 5, top: 7, width: width - 11, height: height - 9 },
            ];
            for part in parts {
                let mut plain = with(CpuExtensions::None).unwrap();
                let expected = resized(&mut plain, &rgb, (width, height), part);
                #[cfg(target_arch = "x86_64")]
                let others = [CpuExtensions::Sse4_1, CpuExtensions::Avx2];
                #[cfg(target_arch = "aarch64")]
                let others = [CpuExtensions::Neon];
                for mut resizer in others.into_iter().filter_map(with) {
                    assert!(resized(&mut resizer, &rgb, (width, height), part) == expected);
                }
            }
        }
    }

    #[test]
    fn a_cut_sees_nothing_outside_and_a_box_does() {
        let (mut resizer, mut rgb) = (Resizer::new(), vec![0; 8 * 8 * 3]);
        rgb[..8 * 3].fill(255);
        let from = Picture { rgb: &rgb, width: 8, height: 8 };
        let mut below = |part| {
            let mut target = vec![0; 3 * 3 * 3];
            resizer.resize(from, part, Filter::Bilinear, &mut target, (3, 3)).unwrap();
            target
        };
        let cut = below(Part::Cut { left: 0, top: 1, width: 8, height: 7 });
        assert!(cut.iter().all(|&value| value == 0));
        let reaching = below(Part::Box { left: 0.0, top: 1.0, width: 8.0, height: 7.0 });
        assert!(reaching[0] > 0);
    }

    #[test]
    fn wrong_lengths_and_parts_outside_are_errors() {
        let (mut resizer, rgb) = (Resizer::new(), drawn(8, 8));
        let whole = Part::Cut { left: 0, top: 0, width: 8, height: 8 };
        let outside = Part::Cut { left: 1, top: 0, width: 8, height: 8 };
        let beyond = Part::Box { left: 0.5, top: 0.0, width: 8.0, height: 8.0 };
        let mut resize = |bytes: usize, part, room: usize| {
            let from = Picture { rgb: &rgb[..bytes], width: 8, height: 8 };
            resizer.resize(from, part, Filter::Bicubic, &mut vec![0; room], (4, 4))
        };
        assert_eq!(resize(192, whole, 48), Ok(()));
        assert!(resize(191, whole, 48).is_err());
        assert!(resize(192, whole, 47).is_err());
        assert!(resize(192, outside, 48).is_err());
        assert!(resize(192, beyond, 48).is_err());
    }
}
