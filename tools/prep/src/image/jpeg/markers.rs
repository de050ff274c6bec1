//! The segments of a JPEG before its first scan: EXIF, colour profile, Adobe's colour transform; and mending
//! the harmless oddities for which libjpeg only warns.
//!
//! Why our own walk: turbojpeg does not return the segments, and after the first warning it hides all later ones, so
//! that a harmless one must be mended away before a serious one can be seen.

use std::ops::Range;

use super::restarts::without_padding;

const START_OF_SCAN: u8 = 0xda;
const ICC: &[u8] = b"ICC_PROFILE\0";
const SEQUENTIAL_FRAMES: [u8; 2] = [0xc0, 0xc1];

/// What stands before the first scan.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Payloads of APP1 segments that start with `Exif`.
    pub(super) exif: Vec<Range<usize>>,
    /// There is a colour profile.
    pub(super) has_icc: bool,
    /// There is an Adobe segment: CMYK is inverted.
    pub(super) is_adobe: bool,
    /// There are restart markers within the scans.
    pub(super) has_restarts: bool,
    /// The bytes end before the first scan starts.
    pub(super) ends_early: bool,
    /// Channels that the frame header names.
    channels: Option<u8>,
    /// Every segment: its marker, and its bytes with marker and length.
    segments: Vec<(u8, Range<usize>)>,
    /// Where the first scan's entropy-coded data starts.
    scan_at: usize,
}

/// Walks the segments up to the first scan.
pub(super) fn read_head(jpeg: &[u8]) -> Head {
    let mut head = Head { ends_early: true, ..Head::default() };
    let mut at = 2;
    while let Some(marker_at) = next_marker(jpeg, at) {
        let marker = jpeg[marker_at];
        let start = marker_at - 1;
        // Markers without a segment: TEM, RSTn, SOI; EOI ends.
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            head.segments.push((marker, start..marker_at + 1));
            at = marker_at + 1;
            continue;
        }
        let length = jpeg
            .get(marker_at + 1..marker_at + 3)
            .map(|pair| usize::from(u16::from_be_bytes([pair[0], pair[1]])));
        let Some(length) = length.filter(|&length| length >= 2 && marker != 0xd9) else {
            return head;
        };
        let end = marker_at + 1 + length;
        let Some(payload) = jpeg.get(marker_at + 3..end) else {
            return head;
        };
        head.note(marker, payload, marker_at + 3);
        head.segments.push((marker, start..end));
        at = end;
        if marker == START_OF_SCAN {
            (head.scan_at, head.ends_early) = (end, false);
            return head;
        }
    }
    head
}

/// Position of the byte behind 0xff that names the next marker; fill bytes and garbage are skipped as libjpeg does.
fn next_marker(jpeg: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += jpeg.get(at..)?.iter().position(|&byte| byte == 0xff)? + 1;
        while *jpeg.get(at)? == 0xff {
            at += 1;
        }
        if jpeg[at] != 0 {
            return Some(at);
        }
    }
}

impl Head {
    fn note(&mut self, marker: u8, payload: &[u8], at: usize) {
        match marker {
            0xe1 if payload.starts_with(b"Exif\0") => self.exif.push(at..at + payload.len()),
            0xe2 if payload.starts_with(ICC) => self.has_icc = true,
            // libjpeg believes a segment only when it is complete.
            0xee if payload.len() >= 12 && payload.starts_with(b"Adobe") => self.is_adobe = true,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                self.channels = payload.get(5).copied();
            }
            0xdd => self.has_restarts = payload != [0, 0],
            _ => {}
        }
    }

    /// The same image without the oddities: no stray bytes between segments, no colour profile, JFIF version 1, a
    /// colour transform that libjpeg would assume anyway, and the only scan parameters that a sequential image can
    /// have, no padding before restart markers. `None` where there is nothing to mend.
    pub(super) fn mended(&self, jpeg: &[u8]) -> Option<Vec<u8>> {
        if self.ends_early {
            return None;
        }
        let mut mended = jpeg[..2].to_vec();
        let mut is_sequential = false;
        for (marker, range) in &self.segments {
            // libjpeg warns of a colour profile in odd pieces; it is not applied anyway.
            if *marker == 0xe2 && jpeg[range.clone()][4..].starts_with(ICC) {
                continue;
            }
            let segment_at = mended.len();
            mended.extend_from_slice(&jpeg[range.clone()]);
            let segment = &mut mended[segment_at..];
            is_sequential |= SEQUENTIAL_FRAMES.contains(marker);
            match marker {
                0xe0 if segment.len() >= 18 && segment[4..].starts_with(b"JFIF\0") => {
                    segment[9] = 1
                }
                0xee if segment.len() >= 16 && segment[4..].starts_with(b"Adobe") => {
                    let assumed = if self.channels == Some(4) { 2 } else { 1 };
                    segment[15] = if segment[15] > 2 { assumed } else { segment[15] };
                }
                &START_OF_SCAN if is_sequential => {
                    if let Some(spectrum) = segment.last_chunk_mut::<3>() {
                        *spectrum = [0, 63, 0];
                    }
                }
                _ => {}
            }
        }
        mended.extend_from_slice(&jpeg[self.scan_at..]);
        if self.has_restarts {
            let head = read_head(&mended);
            let unpadded = without_padding(&mended, &head.segments, head.scan_at);
            mended = unpadded.unwrap_or(mended);
        }
        (mended != jpeg).then_some(mended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
        let mut segment = vec![0xff, marker];
        segment.extend_from_slice(&(payload.len() as u16 + 2).to_be_bytes());
        segment.extend_from_slice(payload);
        segment
    }

    #[test]
    fn segments_are_found_behind_fill_bytes_and_garbage() {
        let jpeg = [
            &[0xff, 0xd8, 0xff][..],
            &segment(0xe1, b"Exif\0\0II"),
            b"garbage\xff\x00",
            &segment(0xe2, b"ICC_PROFILE\0\x01\x01"),
            &segment(0xee, b"Adobe\0d\0\0\0\0\x02"),
            &segment(0xdd, &[0, 4]),
            &segment(START_OF_SCAN, &[1, 1, 0, 0, 63, 0]),
            b"entropy",
        ]
        .concat();
        let head = read_head(&jpeg);
        assert!(head.has_icc && head.is_adobe && head.has_restarts && !head.ends_early);
        assert_eq!(&jpeg[head.exif[0].clone()], b"Exif\0\0II");
        assert_eq!(&jpeg[head.scan_at..], b"entropy");
        let mended = head.mended(&jpeg).unwrap();
        assert!(!mended.windows(7).any(|window| window == b"garbage"));
        assert_eq!(read_head(&mended).mended(&mended), None, "nothing is left to mend");
    }

    #[test]
    fn a_cut_head_ends_early() {
        for cut in [
            &b"\xff\xd8"[..],
            b"\xff\xd8\xff\xe0\0\x10JF",
            b"\xff\xd8\xff\xd9",
            b"\xff\xd8\xff\xe0\0\x01",
        ] {
            let head = read_head(cut);
            assert!(head.ends_early);
            assert_eq!(head.mended(cut), None);
        }
    }
}
