//! Padding before restart markers, which cameras write, told from damage.
//!
//! libjpeg passes over bytes between the end of an interval and its restart marker and warns; the same warning means
//! that an interval's codes were damaged and ended early. turbojpeg keeps only the first warning, so the padding must be
//! taken out before anything worse can be seen. Where an interval ends follows from its Huffman codes alone (ITU T.81,
//! annexes C and F), so that they are walked here, without turning them into coefficients.

use std::ops::Range;

const START_OF_SCAN: u8 = 0xda;
const DEFINE_TABLES: u8 = 0xc4;
/// Blocks of a component in one MCU, along one side (T.81 A.1.1).
const MAX_SAMPLING: usize = 4;
/// Components of a scan (T.81 B.2.3).
const MAX_COMPONENTS: usize = 4;
/// Coefficients of a block.
const BLOCK: u32 = 64;

/// The same baseline JPEG without padding before its markers: blocks in which nothing is coded, bytes of zeros or ones.
/// `None` where it is not one scan of baseline Huffman codes,
/// where what stands before a marker is anything but padding, and where there is none.
pub(super) fn without_padding(
    jpeg: &[u8],
    segments: &[(u8, Range<usize>)],
    scan_at: usize,
) -> Option<Vec<u8>> {
    let scan = Scan::read(jpeg, segments)?;
    let mut kept = jpeg.get(..scan_at)?.to_vec();
    let mut at = scan_at;
    let mut left = scan.mcus;
    for restart in 0u32.. {
        let mut bits = Bits { bytes: jpeg, at, buffer: 0, count: 0 };
        for _ in 0..left.min(scan.interval) {
            scan.pass_mcu(&mut bits)?;
        }
        left -= left.min(scan.interval);
        kept.extend_from_slice(&jpeg[at..bits.at]);
        scan.pass_empty_blocks(&mut bits)?;
        let marker_at = bits.at + padding(&jpeg[bits.at..])?;
        let marker = *jpeg.get(marker_at + 1)?;
        if left == 0 {
            kept.extend_from_slice(&jpeg[marker_at..]);
            return (marker == 0xd9 && kept.len() < jpeg.len()).then_some(kept);
        }
        if u32::from(marker) != 0xd0 + restart % 8 {
            return None;
        }
        kept.extend_from_slice(&[0xff, marker]);
        at = marker_at + 2;
    }
    None
}

/// Length of the padding before a marker: zeros, or ones, which are stuffed as `ff 00`, or fill bytes.
fn padding(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match bytes.get(at..)? {
            [0xff, 0, ..] => at += 2,
            [0, ..] | [0xff, 0xff, ..] => at += 1,
            [0xff, _, ..] => return Some(at),
            _ => return None,
        }
    }
}

/// What a scan's codes are walked with.
struct Scan {
    /// For each block of an MCU, its tables of DC and AC codes.
    blocks: Vec<(Codes, Codes)>,
    mcus: u64,
    /// MCUs between two restart markers.
    interval: u64,
}

/// A table of Huffman codes, by length (T.81 F.2.2.3).
#[derive(Clone, Default)]
struct Codes {
    /// For each length of 1 to 16 bits: the greatest code, where there is one, and what its place among the values is.
    lengths: [Option<(i32, i32)>; 16],
    values: Vec<u8>,
}

impl Codes {
    /// From the sixteen counts of a DHT segment and the values that follow them.
    fn new(counts: &[u8; 16], values: &[u8]) -> Codes {
        let mut lengths = [None; 16];
        let (mut code, mut place) = (0i32, 0i32);
        for (length, &count) in lengths.iter_mut().zip(counts) {
            let count = i32::from(count);
            if count > 0 {
                *length = Some((code + count - 1, place - code));
            }
            (code, place) = ((code + count) << 1, place + count);
        }
        Codes { lengths, values: values.to_vec() }
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let mut code = 0i32;
        for length in &self.lengths {
            code = code << 1 | bits.take(1)? as i32;
            if let Some((greatest, offset)) = length
                && code <= *greatest
            {
                return self.values.get(usize::try_from(code + offset).ok()?).copied();
            }
        }
        None
    }
}

/// Tables of DC and AC codes by their numbers.
type Tables = [[Codes; 4]; 2];

/// The tables of T.81 K.3, which cameras' moving JPEGs leave out and every decoder knows: as our encoder writes them.
fn usual_tables() -> Option<Tables> {
    let image = turbojpeg::Image {
        pixels: [0u8; 3].as_slice(),
        width: 1,
        pitch: 3,
        height: 1,
        format: turbojpeg::PixelFormat::RGB,
    };
    let jpeg = turbojpeg::compress(image, 90, turbojpeg::Subsamp::None).ok()?;
    let mut tables = Tables::default();
    let mut at = 2;
    while jpeg.get(at + 1).is_some_and(|&marker| marker != START_OF_SCAN) {
        let end = at + 2 + usize::from(be_u16(&jpeg, at + 2)?);
        if jpeg[at + 1] == DEFINE_TABLES {
            read_tables(jpeg.get(at + 4..end)?, &mut tables)?;
        }
        at = end;
    }
    Some(tables)
}

impl Scan {
    fn read(jpeg: &[u8], segments: &[(u8, Range<usize>)]) -> Option<Scan> {
        let mut tables = usual_tables().unwrap_or_default();
        let (mut frame, mut header, mut interval) = (None, None, 0u64);
        for (marker, range) in segments {
            let payload = jpeg.get(range.clone())?.get(4..)?;
            match *marker {
                DEFINE_TABLES => read_tables(payload, &mut tables)?,
                0xc0 | 0xc1 => frame = Some(payload),
                0xdd => interval = u64::from(be_u16(payload, 0)?),
                START_OF_SCAN => header = Some(payload),
                _ => {}
            }
        }
        let (frame, header) = (frame?, header?);
        let count = usize::from(*frame.get(5)?);
        // One scan with every component; more would follow this one.
        if interval == 0 || count == 0 || count > MAX_COMPONENTS || *header.first()? != count as u8
        {
            return None;
        }
        let (height, width) = (u64::from(be_u16(frame, 1)?), u64::from(be_u16(frame, 3)?));
        let mut components = Vec::new();
        for index in 0..count {
            let [id, sampling, _] = *frame.get(6 + 3 * index..)?.first_chunk::<3>()?;
            let [scanned, used] = *header.get(1 + 2 * index..)?.first_chunk::<2>()?;
            let (across, down) = (usize::from(sampling >> 4), usize::from(sampling & 15));
            let range = 1..=MAX_SAMPLING;
            if scanned != id || !range.contains(&across) || !range.contains(&down) {
                return None;
            }
            components.push((across, down, usize::from(used >> 4), usize::from(used & 15)));
        }
        // A scan of one component has one block an MCU, whatever its sampling says (T.81 A.2.2).
        if let [(across, down, ..)] = components.as_mut_slice() {
            (*across, *down) = (1, 1);
        }
        let most = |side: fn(&(usize, usize, usize, usize)) -> usize| {
            components.iter().map(side).max().unwrap_or(1) as u64
        };
        let (across, down) = (most(|c| c.0), most(|c| c.1));
        let mcus = width.div_ceil(8 * across) * height.div_ceil(8 * down);
        let mut blocks = Vec::new();
        for (across, down, dc, ac) in components {
            let pair = (tables[0].get(dc)?.clone(), tables[1].get(ac)?.clone());
            blocks.extend(std::iter::repeat_n(pair, across * down));
        }
        Some(Scan { blocks, mcus, interval })
    }

    /// Passes over blocks with nothing in them, and the ones that fill the last byte; `None` where anything else is left of it.
    fn pass_empty_blocks(&self, bits: &mut Bits<'_>) -> Option<()> {
        for (dc, ac) in self.blocks.iter().cycle() {
            let before = bits.clone();
            if dc.read(bits) != Some(0) || ac.read(bits) != Some(0) {
                *bits = before;
                break;
            }
        }
        let ones = (1 << bits.count) - 1;
        (bits.buffer & ones == ones).then_some(())
    }

    /// Passes over the codes of one MCU; `None` where they are none.
    fn pass_mcu(&self, bits: &mut Bits<'_>) -> Option<()> {
        for (dc, ac) in &self.blocks {
            let size = dc.read(bits)?;
            bits.skip(u32::from(size))?;
            let mut place = 1;
            while place < BLOCK {
                let code = ac.read(bits)?;
                let (run, size) = (u32::from(code >> 4), u32::from(code & 15));
                match (run, size) {
                    (0, 0) => break,
                    (15, 0) => place += 16,
                    (_, 0) => return None,
                    _ => {
                        bits.skip(size)?;
                        place += run + 1;
                    }
                }
            }
            if place > BLOCK {
                return None;
            }
        }
        Some(())
    }
}

/// Reads the tables of a DHT segment: class and number, sixteen counts, values.
fn read_tables(mut payload: &[u8], tables: &mut Tables) -> Option<()> {
    while let Some((&kind, rest)) = payload.split_first() {
        let (counts, rest) = rest.split_first_chunk::<16>()?;
        let total = counts.iter().map(|&count| usize::from(count)).sum();
        let (values, rest) = rest.split_at_checked(total)?;
        let (class, number) = (usize::from(kind >> 4), usize::from(kind & 15));
        *tables.get_mut(class)?.get_mut(number)? = Codes::new(counts, values);
        payload = rest;
    }
    Some(())
}

fn be_u16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|&pair| u16::from_be_bytes(pair))
}

/// Bits of entropy-coded data; a stuffed zero after `ff` is no data, and a marker ends it.
#[derive(Clone)]
struct Bits<'a> {
    bytes: &'a [u8],
    /// The first byte that was not looked at.
    at: usize,
    buffer: u32,
    /// Bits of the buffer that were not taken.
    count: u32,
}

impl Bits<'_> {
    /// The next bits, at most 16.
    fn take(&mut self, wanted: u32) -> Option<u32> {
        while self.count < wanted {
            let byte = *self.bytes.get(self.at)?;
            let stuffed = byte == 0xff;
            if stuffed && *self.bytes.get(self.at + 1)? != 0 {
                return None;
            }
            self.at += 1 + usize::from(stuffed);
            self.buffer = self.buffer << 8 | u32::from(byte);
            self.count += 8;
        }
        self.count -= wanted;
        Some(self.buffer >> self.count & ((1 << wanted) - 1))
    }

    fn skip(&mut self, wanted: u32) -> Option<()> {
        (wanted <= 16).then(|| self.take(wanted)).flatten().map(|_| ())
    }
}
