//! The format by its first bytes; a file's suffix is never believed.

use super::DecodeError;

/// Formats that are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// Baseline, progressive or arithmetic JPEG.
    Jpeg,
    /// PNG and APNG.
    Png,
    /// Lossy and lossless WebP.
    WebP,
    /// GIF.
    Gif,
    /// Windows bitmap.
    Bmp,
}

impl ImageFormat {
    /// The name in messages and reports.
    pub fn name(self) -> &'static str {
        match self {
            ImageFormat::Jpeg => "JPEG",
            ImageFormat::Png => "PNG",
            ImageFormat::WebP => "WebP",
            ImageFormat::Gif => "GIF",
            ImageFormat::Bmp => "BMP",
        }
    }

    /// The format of these bytes.
    ///
    /// # Errors
    /// [`DecodeError::Empty`], or [`DecodeError::UnsupportedFormat`] with a guess at what it is.
    pub fn sniff(bytes: &[u8]) -> Result<ImageFormat, DecodeError> {
        match bytes {
            [] => Err(DecodeError::Empty),
            [0xff, 0xd8, ..] => Ok(ImageFormat::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Ok(ImageFormat::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
                Ok(ImageFormat::WebP)
            }
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(ImageFormat::Gif),
            // The reserved fields are zero in every bitmap, and text that starts with BM has none.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Ok(ImageFormat::Bmp),
            _ => Err(DecodeError::UnsupportedFormat { looks_like: looks_like(bytes) }),
        }
    }
}

fn looks_like(bytes: &[u8]) -> &'static str {
    let text = bytes.trim_ascii_start();
    match bytes {
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "TIFF",
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => "AVIF",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "HEIF or MP4",
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => "JPEG XL",
        [0, 0, 0, 12, b'j', b'P', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => "JPEG 2000",
        [0, 0, 1, 0, ..] => "ICO",
        [b'8', b'B', b'P', b'S', ..] => "Photoshop",
        [b'%', b'P', b'D', b'F', ..] => "PDF",
        [0x1f, 0x8b, ..] => "gzip",
        _ if bytes.iter().all(|&byte| byte == 0) => "zeros",
        _ if text.starts_with(b"<svg") || text.starts_with(b"<?xml") => "SVG or XML",
        _ if text.starts_with(b"<") => "HTML",
        _ if text.starts_with(b"{") => "JSON",
        _ => "no known image format",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_decide() {
        assert_eq!(ImageFormat::sniff(b"\xff\xd8\xff"), Ok(ImageFormat::Jpeg));
        assert_eq!(ImageFormat::sniff(b"RIFF\0\0\0\0WEBPVP8 "), Ok(ImageFormat::WebP));
        assert_eq!(ImageFormat::sniff(b"GIF89a"), Ok(ImageFormat::Gif));
        assert_eq!(ImageFormat::sniff(b"BM\x46\0\0\0\0\0\0\0"), Ok(ImageFormat::Bmp));
        assert_eq!(ImageFormat::sniff(b""), Err(DecodeError::Empty));
        for (bytes, looks_like) in [
            (&b"\n <!DOCTYPE html>"[..], "HTML"),
            (b"<svg xmlns", "SVG or XML"),
            (b"\0\0\0\x1cftypavif", "AVIF"),
            (b"BMW", "no known image format"),
            (b"\0\0\0\0\0", "zeros"),
        ] {
            let error = ImageFormat::sniff(bytes).unwrap_err();
            assert_eq!(error, DecodeError::UnsupportedFormat { looks_like });
            assert_eq!(error.reason(), "unsupported_format");
        }
    }
}
