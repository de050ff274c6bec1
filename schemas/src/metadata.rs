//! What a sample's source says of it beside caption and pixels: the same names in sidecars, samples and shards.

use crate::record::record;

/// Where [`Metadata`] is read from: a JSON sidecar, a row of a table. It is asked for values by the column's name and
/// knows what the source calls it.
pub trait MetadataSource {
    /// A text.
    fn text(&self, column: &str) -> Option<String>;

    /// A finite number.
    fn real(&self, column: &str) -> Option<f64>;

    /// A whole number.
    fn whole(&self, column: &str) -> Option<u32>;

    /// A SHA-256.
    fn hash(&self, column: &str) -> Option<[u8; 32]>;
}

/// A type that a source can be asked for.
trait Found: Sized {
    fn find(source: &impl MetadataSource, column: &str) -> Option<Self>;
}

impl Found for String {
    fn find(source: &impl MetadataSource, column: &str) -> Option<String> {
        source.text(column)
    }
}

impl Found for f64 {
    fn find(source: &impl MetadataSource, column: &str) -> Option<f64> {
        source.real(column)
    }
}

impl Found for u32 {
    fn find(source: &impl MetadataSource, column: &str) -> Option<u32> {
        source.whole(column)
    }
}

impl Found for [u8; 32] {
    fn find(source: &impl MetadataSource, column: &str) -> Option<[u8; 32]> {
        source.hash(column)
    }
}

macro_rules! metadata {
    ($( $(#[$doc:meta])* $column:ident: $value:ty, )*) => {
        record! {
            /// What the source says of a sample; `None` where it does not, or says what is not of the column's type.
            #[derive(Clone, Debug, Default, PartialEq)]
            pub struct Metadata {
                $( $(#[$doc])* pub $column: Option<$value>, )*
            }
        }

        impl Metadata {
            /// Names of the columns, in file order.
            pub const COLUMNS: &'static [&'static str] = <Metadata as crate::record::Record>::COLUMNS;

            /// All that a source says.
            pub fn read(source: &impl MetadataSource) -> Metadata {
                Metadata { $( $column: Found::find(source, stringify!($column)), )* }
            }

            /// Takes from `other` what this one does not have.
            pub fn fill_from(&mut self, other: Metadata) {
                $( if self.$column.is_none() {
                    self.$column = other.$column;
                } )*
            }
        }
    };
}

// A line here is a column of every shard and is read from every source that has a field of its name. Other names of
// the same thing stand in the reader of sidecars.
metadata! {
    /// Where the image came from.
    url: String,
    /// Width of the image on the web, in pixels.
    original_width: u32,
    /// Height of the image on the web, in pixels.
    original_height: u32,
    /// SHA-256 of the image on the web.
    sha256: [u8; 32],
    /// CLIP similarity of image and caption (ViT-B/32 where the source has several).
    similarity: f64,
    /// Probability of unsafe content, 0-1.
    punsafe: f64,
    /// Probability of a watermark, 0-1.
    pwatermark: f64,
    /// NSFW verdict: LAION's `UNLIKELY`, `UNSURE`, `NSFW`.
    nsfw: String,
    /// Licence, as found.
    license: String,
    /// Language code of the caption.
    language: String,
}
