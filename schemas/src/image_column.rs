//! Which images a data set stores: size and encoding of each image column.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Greatest side length that can be asked for, in pixels.
pub const MAX_SIDE_PX: u32 = 1024;

/// How the pixels of a column are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageEncoding {
    /// S×S pixels, u8, RGB, rows first (HWC), always S·S·3 bytes: a whole row group is one `[N, S, S, 3]`
    /// block in the file. The short side was resized to S (smaller images are up-scaled) and the centre cropped.
    Rgb8Square,
    /// Raw u8 RGB rows with the aspect ratio kept: short side at most S, never up-scaled.
    Rgb8,
    /// The same pixels as [`ImageEncoding::Rgb8`] would hold, JPEG encoded; the source's own bytes where they fit.
    Jpeg,
}

/// One image column: `112:rgb8-square` on the command line, `image_112` in the file.
///
/// ```
/// use clipa_schemas::image_column::{ImageColumn, ImageEncoding};
/// let column: ImageColumn = "178:rgb8".parse().unwrap();
/// assert_eq!((column.side, column.encoding), (178, ImageEncoding::Rgb8));
/// assert_eq!(column.name(), "image_178");
/// assert_eq!(column.to_string(), "178:rgb8");
/// assert!("0:rgb8".parse::<ImageColumn>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageColumn {
    /// S, the (short) side in pixels.
    pub side: u32,
    /// Layout of the bytes.
    pub encoding: ImageEncoding,
}

impl ImageColumn {
    /// The column's name in the shard, `image_S`.
    pub fn name(&self) -> String {
        format!("image_{}", self.side)
    }

    /// Names of the columns that hold width and height, for encodings where they vary.
    pub fn size_names(&self) -> Option<(String, String)> {
        match self.encoding {
            ImageEncoding::Rgb8Square => None,
            ImageEncoding::Rgb8 | ImageEncoding::Jpeg => {
                Some((format!("width_{}", self.side), format!("height_{}", self.side)))
            }
        }
    }

    /// Bytes of one image where that is a constant.
    pub fn fixed_bytes(&self) -> Option<usize> {
        let side = self.side as usize;
        (self.encoding == ImageEncoding::Rgb8Square).then_some(side * side * 3)
    }
}

impl ImageEncoding {
    /// The name on the command line and in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            ImageEncoding::Rgb8Square => "rgb8-square",
            ImageEncoding::Rgb8 => "rgb8",
            ImageEncoding::Jpeg => "jpeg",
        }
    }
}

impl fmt::Display for ImageColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.side, self.encoding.name())
    }
}

impl FromStr for ImageColumn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let explain = || format!("`{text}` is not SIDE:ENCODING, as in 112:rgb8-square");
        let (side, encoding) = text.split_once(':').ok_or_else(explain)?;
        let side: u32 = side.parse().map_err(|_| explain())?;
        if !(1..=MAX_SIDE_PX).contains(&side) {
            return Err(format!("side {side} is not in 1..={MAX_SIDE_PX} pixels"));
        }
        let encoding = [ImageEncoding::Rgb8Square, ImageEncoding::Rgb8, ImageEncoding::Jpeg]
            .into_iter()
            .find(|known| known.name() == encoding)
            .ok_or_else(|| {
                format!("unknown encoding `{encoding}`: choose rgb8-square, rgb8 or jpeg")
            })?;
        Ok(ImageColumn { side, encoding })
    }
}

impl TryFrom<String> for ImageColumn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ImageColumn> for String {
    fn from(column: ImageColumn) -> String {
        column.to_string()
    }
}
