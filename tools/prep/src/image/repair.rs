//! What was done to an image so that it became upright 8-bit RGB.

use std::fmt;

/// One repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Repair {
    /// Rotated or mirrored as EXIF says.
    Orientation,
    /// One grey channel became three.
    Grey,
    /// CMYK or YCCK became RGB, without a colour profile.
    Cmyk,
    /// Palette entries became colours.
    Palette,
    /// 16 bits a channel became 8.
    SixteenBit,
    /// Transparent pixels were put over white.
    Alpha,
    /// The first of several frames was taken.
    Animated,
    /// There is a colour profile, and it was not applied.
    IccIgnored,
    /// A JPEG with stray bytes between its segments or odd header values; its pixels are whole.
    Markers,
    /// White bars of img2dataset's `border` mode were cut off.
    Border,
    /// A PNG that ends without its last chunk; every pixel is there.
    NoEnd,
    /// Nothing was done: every pixel has the same colour, as placeholders of vanished pictures have.
    Blank,
}

impl Repair {
    /// Every repair, in the order of reports.
    pub const ALL: [Repair; 12] = [
        Repair::Orientation,
        Repair::Grey,
        Repair::Cmyk,
        Repair::Palette,
        Repair::SixteenBit,
        Repair::Alpha,
        Repair::Animated,
        Repair::IccIgnored,
        Repair::Markers,
        Repair::Border,
        Repair::NoEnd,
        Repair::Blank,
    ];

    /// The machine-readable name; stable.
    pub fn name(self) -> &'static str {
        match self {
            Repair::Orientation => "orientation",
            Repair::Grey => "grey",
            Repair::Cmyk => "cmyk",
            Repair::Palette => "palette",
            Repair::SixteenBit => "sixteen_bit",
            Repair::Alpha => "alpha",
            Repair::Animated => "animated",
            Repair::IccIgnored => "icc_ignored",
            Repair::Markers => "markers",
            Repair::Border => "border",
            Repair::NoEnd => "no_end",
            Repair::Blank => "blank",
        }
    }
}

/// A set of repairs.
///
/// ```
/// use clipa_prep::image::{Repair, Repairs};
/// let mut repairs = Repairs::default();
/// repairs.insert(Repair::Alpha);
/// assert!(repairs.contains(Repair::Alpha) && !repairs.contains(Repair::Grey));
/// assert_eq!(repairs.to_string(), "alpha");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Repairs(u16);

impl Repairs {
    /// Adds a repair.
    pub fn insert(&mut self, repair: Repair) {
        self.0 |= 1 << repair as u16;
    }

    /// Adds a repair where `is_needed`.
    pub(super) fn insert_if(&mut self, is_needed: bool, repair: Repair) {
        if is_needed {
            self.insert(repair);
        }
    }

    /// True where the repair was done.
    pub fn contains(self, repair: Repair) -> bool {
        self.0 & (1 << repair as u16) != 0
    }

    /// True where nothing was done.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The repairs, in the order of reports.
    pub fn iter(self) -> impl Iterator<Item = Repair> {
        Repair::ALL.into_iter().filter(move |&repair| self.contains(repair))
    }

    /// True where any JPEG decoder that is asked for RGB gets the same pixels from the source bytes: grey is
    /// expanded by every decoder, and a profile that is ignored here is ignored by the reader of a shard too.
    pub fn source_is_as_good(self) -> bool {
        self.iter()
            .all(|repair| matches!(repair, Repair::Grey | Repair::IccIgnored | Repair::Blank))
    }
}

impl fmt::Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, repair) in self.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "," })?;
            f.write_str(repair.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repairs({self})")
    }
}
