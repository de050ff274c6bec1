//! What to store of each image.

use clipa_schemas::image_column::{ImageColumn, ImageEncoding};
use thiserror::Error;

/// Greatest ratio of long to short side that is stored, unless told otherwise: 3, as DataComp's filter.
pub const DEFAULT_MAX_ASPECT: f64 = 3.0;

/// JPEG quality of encoded columns, unless told otherwise: img2dataset's own.
pub const DEFAULT_JPEG_QUALITY: u8 = 95;

/// Greatest ratio of sides that can be asked for; keeps a width within 16 bits.
const MAX_ASPECT_LIMIT: f64 = 60.0;

/// How images are rendered beside their sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RenderOptions {
    /// `rgb8` and `jpeg` columns: the long side is at most so many times the short one, the excess cropped equally
    /// at both ends.
    pub max_aspect: f64,
    /// `jpeg` columns that are encoded: 1-100. Chroma is not subsampled.
    pub jpeg_quality: u8,
}

impl Default for RenderOptions {
    fn default() -> Self {
        RenderOptions { max_aspect: DEFAULT_MAX_ASPECT, jpeg_quality: DEFAULT_JPEG_QUALITY }
    }
}

/// Why images cannot be rendered: a wrong plan, or the end of memory. Never the fault of one image.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RenderError {
    /// An option is out of its range.
    #[error("{option} {value} is not in {range}")]
    BadOption {
        /// Which.
        option: &'static str,
        /// What was given.
        value: f64,
        /// What may be given.
        range: &'static str,
    },
    /// The resizer or the JPEG encoder refuses.
    #[error("cannot render {column}: {detail}")]
    Failed {
        /// The column, as on the command line.
        column: String,
        /// Their words.
        detail: String,
    },
}

/// The image columns of a data set, and how they are made.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderPlan {
    columns: Vec<ImageColumn>,
    options: RenderOptions,
    /// Places in `columns`, largest side first: what is rendered early can serve later ones.
    pub(super) order: Vec<usize>,
}

impl RenderPlan {
    /// A plan for these columns.
    ///
    /// # Errors
    /// An option is out of its range.
    pub fn new(columns: &[ImageColumn], options: RenderOptions) -> Result<RenderPlan, RenderError> {
        let RenderOptions { max_aspect, jpeg_quality } = options;
        if !(1.0..=MAX_ASPECT_LIMIT).contains(&max_aspect) {
            let (option, range) = ("max aspect", "1..=60");
            return Err(RenderError::BadOption { option, value: max_aspect, range });
        }
        if !(1..=100).contains(&jpeg_quality) {
            let (option, range) = ("JPEG quality", "1..=100");
            return Err(RenderError::BadOption { option, value: f64::from(jpeg_quality), range });
        }
        let mut order: Vec<usize> = (0..columns.len()).collect();
        // Among equal sides the one that keeps the aspect ratio first: it can serve the square.
        order.sort_by_key(|&place| {
            let column = columns[place];
            (std::cmp::Reverse(column.side), column.encoding == ImageEncoding::Rgb8Square)
        });
        Ok(RenderPlan { columns: columns.to_vec(), options, order })
    }

    /// The columns, in the order in which [`super::render`] returns their images.
    pub fn columns(&self) -> &[ImageColumn] {
        &self.columns
    }

    /// The options.
    pub fn options(&self) -> RenderOptions {
        self.options
    }

    /// The largest side of any column, for [`crate::image::DecodeLimits::largest_side_px`].
    pub fn largest_side(&self) -> Option<u32> {
        self.columns.iter().map(|column| column.side).max()
    }
}
