//! The names of all repairs, as reports, ledgers and `--refuse` have them.

use crate::image::Repair;

/// What was wrong with a sample's texts and could be passed over; of its picture see [`Repair`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadRepair {
    /// The `.json` is no JSON object: the sample goes on without it.
    SidecarIgnored,
    /// The `.json` is larger than [`crate::archive::sidecar::MAX_SIDECAR_BYTES`]: the sample goes on without it.
    SidecarTooLarge,
    /// The tar ends within the `.json`: the sample goes on without it.
    SidecarCut,
    /// The row of the table beside the tar names another URL than the `.json`: it is another image's, and not used.
    TableIgnored,
    /// The sidecar's `exif` would turn a picture that its sizes say was turned already: it is not turned.
    ExifIgnored,
    /// Bytes of the caption that are no UTF-8 became U+FFFD.
    CaptionNotUtf8,
    /// Bytes of the `.json` that are no UTF-8 became U+FFFD.
    SidecarNotUtf8,
    /// The `.txt` is empty: the caption is that of the `.json` or of the table.
    EmptyTxt,
    /// Several lines of a `.txt` became several captions.
    CaptionLines,
    /// A member of captions (`.captions.json`) cannot be read: the sample goes on without it.
    CaptionsIgnored,
    /// Captions beyond [`clipa_schemas::text::MAX_CAPTIONS`] are left out.
    CaptionsDropped,
    /// Captions that a filter of words or characters keeps out are left out, and others stay.
    CaptionsFiltered,
}

impl ReadRepair {
    /// Every repair that reading makes.
    pub const ALL: [ReadRepair; 12] = [
        ReadRepair::SidecarIgnored,
        ReadRepair::SidecarTooLarge,
        ReadRepair::SidecarCut,
        ReadRepair::TableIgnored,
        ReadRepair::ExifIgnored,
        ReadRepair::CaptionNotUtf8,
        ReadRepair::SidecarNotUtf8,
        ReadRepair::EmptyTxt,
        ReadRepair::CaptionLines,
        ReadRepair::CaptionsIgnored,
        ReadRepair::CaptionsDropped,
        ReadRepair::CaptionsFiltered,
    ];

    /// The machine-readable name; stable.
    pub fn name(self) -> &'static str {
        match self {
            ReadRepair::SidecarIgnored => "sidecar_ignored",
            ReadRepair::SidecarTooLarge => "sidecar_too_large",
            ReadRepair::SidecarCut => "sidecar_cut",
            ReadRepair::TableIgnored => "table_ignored",
            ReadRepair::ExifIgnored => "exif_ignored",
            ReadRepair::CaptionNotUtf8 => "caption_not_utf8",
            ReadRepair::SidecarNotUtf8 => "sidecar_not_utf8",
            ReadRepair::EmptyTxt => "empty_txt",
            ReadRepair::CaptionLines => "caption_lines",
            ReadRepair::CaptionsIgnored => "captions_ignored",
            ReadRepair::CaptionsDropped => "captions_dropped",
            ReadRepair::CaptionsFiltered => "captions_filtered",
        }
    }
}

/// The name of every repair, of pictures first.
pub fn repair_names() -> impl Iterator<Item = &'static str> {
    Repair::ALL.into_iter().map(Repair::name).chain(ReadRepair::ALL.map(ReadRepair::name))
}

/// The repair of that name.
///
/// # Errors
/// There is none; the message lists those that there are.
pub fn repair_named(name: &str) -> Result<&'static str, String> {
    repair_names().find(|known| *known == name).ok_or_else(|| {
        format!(
            "there is no repair `{name}`; there are {}",
            repair_names().collect::<Vec<_>>().join(", ")
        )
    })
}
