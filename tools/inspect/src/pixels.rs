//! The pixels of a stored image, whatever its encoding.

use clipa_schemas::{image_column::ImageEncoding, shard::ImageRef};

/// Greatest number of pixels that a stored image may claim before memory is taken for it.
pub const MAX_PIXELS: usize = 64_000_000;

/// Rows of red, green and blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Pixels from left to right.
    pub width: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// `width * height * 3` bytes.
    pub rgb: Vec<u8>,
}

/// Why the bytes of an image are not what its columns say.
#[derive(Debug, thiserror::Error)]
pub enum PixelError {
    /// Raw pixels of another number.
    #[error("{found} bytes for {width} x {height} pixels, which take {expected}")]
    Length {
        /// Pixels from left to right.
        width: u32,
        /// Pixels from top to bottom.
        height: u32,
        /// Bytes that are there.
        found: usize,
        /// Bytes that should be.
        expected: usize,
    },
    /// A JPEG of another size than the columns say.
    #[error("a JPEG of {found_width} x {found_height} pixels, its columns say {width} x {height}")]
    OtherSize {
        /// Pixels from left to right, by the columns.
        width: u32,
        /// Pixels from top to bottom, by the columns.
        height: u32,
        /// By the JPEG.
        found_width: usize,
        /// By the JPEG.
        found_height: usize,
    },
    /// More pixels than any column may hold.
    #[error("{width} x {height} pixels are more than {MAX_PIXELS}")]
    TooLarge {
        /// Pixels from left to right.
        width: u32,
        /// Pixels from top to bottom.
        height: u32,
    },
    /// An image without pixels.
    #[error("the image has no pixels")]
    Empty,
    /// The JPEG cannot be decoded.
    #[error("the JPEG cannot be decoded: {0}")]
    Jpeg(#[from] turbojpeg::Error),
}

/// Decodes stored images; keeps the codec from one to the next.
pub struct PixelReader {
    jpeg: turbojpeg::Decompressor,
}

impl PixelReader {
    /// Sets the codec up.
    ///
    /// # Errors
    /// Where it cannot get its memory.
    pub fn new() -> Result<PixelReader, PixelError> {
        Ok(PixelReader { jpeg: turbojpeg::Decompressor::new()? })
    }

    /// The image's pixels.
    ///
    /// # Errors
    /// [`PixelError`] where bytes, width, height and encoding contradict each other.
    pub fn read(
        &mut self,
        image: ImageRef<'_>,
        encoding: ImageEncoding,
    ) -> Result<Pixels, PixelError> {
        let mut rgb = Vec::new();
        self.read_into(image, encoding, &mut rgb)?;
        Ok(Pixels { width: image.width as usize, height: image.height as usize, rgb })
    }

    /// Decodes into a buffer that is used again.
    ///
    /// # Errors
    /// As [`PixelReader::read`].
    pub fn read_into(
        &mut self,
        image: ImageRef<'_>,
        encoding: ImageEncoding,
        rgb: &mut Vec<u8>,
    ) -> Result<(), PixelError> {
        let expected = expected_bytes(image)?;
        rgb.clear();
        match encoding {
            ImageEncoding::Rgb8 | ImageEncoding::Rgb8Square => {
                check_length(image, expected)?;
                rgb.extend_from_slice(image.bytes);
                Ok(())
            }
            ImageEncoding::Jpeg => {
                rgb.resize(expected, 0);
                self.decode_jpeg(image, rgb)
            }
        }
    }

    /// Whether the image can be read, without copying raw pixels.
    ///
    /// # Errors
    /// As [`PixelReader::read`].
    pub fn check(
        &mut self,
        image: ImageRef<'_>,
        encoding: ImageEncoding,
        buffer: &mut Vec<u8>,
    ) -> Result<(), PixelError> {
        match encoding {
            ImageEncoding::Rgb8 | ImageEncoding::Rgb8Square => {
                check_length(image, expected_bytes(image)?)
            }
            ImageEncoding::Jpeg => self.read_into(image, encoding, buffer),
        }
    }

    fn decode_jpeg(&mut self, image: ImageRef<'_>, rgb: &mut [u8]) -> Result<(), PixelError> {
        let header = self.jpeg.read_header(image.bytes)?;
        let (width, height) = (image.width as usize, image.height as usize);
        if (header.width, header.height) != (width, height) {
            return Err(PixelError::OtherSize {
                width: image.width,
                height: image.height,
                found_width: header.width,
                found_height: header.height,
            });
        }
        let format = turbojpeg::PixelFormat::RGB;
        let target = turbojpeg::Image { pixels: rgb, width, pitch: width * 3, height, format };
        Ok(self.jpeg.decompress(image.bytes, target)?)
    }
}

fn expected_bytes(image: ImageRef<'_>) -> Result<usize, PixelError> {
    let (width, height) = (image.width, image.height);
    match (width as usize).checked_mul(height as usize) {
        Some(0) => Err(PixelError::Empty),
        Some(pixels) if pixels <= MAX_PIXELS => Ok(pixels * 3),
        _ => Err(PixelError::TooLarge { width, height }),
    }
}

fn check_length(image: ImageRef<'_>, expected: usize) -> Result<(), PixelError> {
    let found = image.bytes.len();
    if found == expected {
        return Ok(());
    }
    Err(PixelError::Length { width: image.width, height: image.height, found, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(width: usize, height: usize) -> Vec<u8> {
        let pixels = vec![200u8; width * height * 3];
        let format = turbojpeg::PixelFormat::RGB;
        let image = turbojpeg::Image { pixels: &*pixels, width, pitch: width * 3, height, format };
        turbojpeg::compress(image, 90, turbojpeg::Subsamp::None).unwrap().to_vec()
    }

    #[test]
    fn raw_and_jpeg_images_are_read() {
        let mut reader = PixelReader::new().unwrap();
        let raw: Vec<u8> = (0..24).collect();
        let image = ImageRef { width: 4, height: 2, bytes: &raw };
        assert_eq!(reader.read(image, ImageEncoding::Rgb8).unwrap().rgb, raw);
        let bytes = jpeg(9, 5);
        let image = ImageRef { width: 9, height: 5, bytes: &bytes };
        let pixels = reader.read(image, ImageEncoding::Jpeg).unwrap();
        assert_eq!((pixels.width, pixels.height, pixels.rgb.len()), (9, 5, 135));
        assert!(pixels.rgb.iter().all(|&channel| channel.abs_diff(200) < 4));
    }

    #[test]
    fn contradictions_are_named() {
        let mut reader = PixelReader::new().unwrap();
        let bytes = jpeg(9, 5);
        let mut wrong = |width, height, bytes: &[u8], encoding| {
            let image = ImageRef { width, height, bytes };
            reader.read(image, encoding).unwrap_err().to_string()
        };
        let says = wrong(9, 5, &[0; 134], ImageEncoding::Rgb8);
        assert_eq!(says, "134 bytes for 9 x 5 pixels, which take 135");
        let says = wrong(5, 9, &bytes, ImageEncoding::Jpeg);
        assert_eq!(says, "a JPEG of 9 x 5 pixels, its columns say 5 x 9");
        assert!(wrong(9, 5, &bytes[..9], ImageEncoding::Jpeg).contains("cannot be decoded"));
        assert!(wrong(65_535, 65_535, &bytes, ImageEncoding::Jpeg).contains("more than"));
        assert_eq!(wrong(0, 5, &[], ImageEncoding::Rgb8), "the image has no pixels");
    }
}
