//! Event files that TensorBoard reads: `RUN/tensorboard/events.out.tfevents.SECONDS.clipa.NUMBER`.
//!
//! A file is a row of TFRecords: length (u64), masked CRC-32C of the length (u32), content, masked CRC-32C of the content
//! (u32), all little-endian. The content is an `Event` of TensorFlow's `event.proto`:
//!
//! ```text
//! Event    1 wall_time: double   2 step: int64   3 file_version: string   5 summary: Summary   7 session_log: SessionLog
//! Summary  1 value: repeated { 1 tag: string   2 simple_value: float }
//! SessionLog  1 status: enum, START = 1
//! ```
//! Each process writes a file of its own. It begins with the version and with the start of a session at the step after the
//! one that it goes on from: what earlier files say of that step and later ones, TensorBoard then leaves out. So a
//! continued run shows every step once, and a file that was cut by a kill harms nothing.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Folder of the event files in a run.
pub const TENSORBOARD: &str = "tensorboard";
/// Version of the format, which says that starts of sessions count.
const FILE_VERSION: &str = "brain.Event:2";
/// `SessionLog.SessionStatus.START`.
const START: u64 = 1;
/// Files of one second at most; a process that is started again more often than that has another trouble.
const MAX_FILES_A_SECOND: usize = 1000;

/// The event file of one process.
#[derive(Debug)]
pub struct EventsFile {
    file: File,
    path: PathBuf,
}

impl EventsFile {
    /// Begins a file in a run's folder for the steps after `step`.
    ///
    /// # Errors
    /// The disk.
    pub fn begin(run: &Path, step: u64) -> io::Result<EventsFile> {
        let folder = run.join(TENSORBOARD);
        fs::create_dir_all(&folder)?;
        let (file, path) = create(&folder)?;
        let mut events = EventsFile { file, path };
        events.append(0, |event| event.text(3, FILE_VERSION))?;
        events.restart(step)?;
        Ok(events)
    }

    /// Says that the steps after `step` come again: what was said of them counts no more.
    ///
    /// # Errors
    /// The disk.
    pub fn restart(&mut self, step: u64) -> io::Result<()> {
        self.append(step + 1, |event| event.message(7, |log| log.varint(1, START)))
    }

    /// Adds numbers of a step, by tag.
    ///
    /// # Errors
    /// The disk.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> io::Result<()> {
        self.append(step, |event| {
            event.message(5, |summary| {
                for (tag, number) in values {
                    summary.message(1, |value| {
                        value.text(1, tag);
                        value.float(2, *number as f32);
                    });
                }
            });
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn append(&mut self, step: u64, what: impl FnOnce(&mut Message)) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut event = Message::default();
        event.double(1, now.as_secs_f64());
        event.varint(2, step);
        what(&mut event);
        // In one call, so that a kill leaves whole records and at most one torn one.
        self.file.write_all(&record(&event.bytes))
    }
}

fn create(folder: &Path) -> io::Result<(File, PathBuf)> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    for number in 0..MAX_FILES_A_SECOND {
        // TensorBoard reads the files of a folder by their names' order.
        let path = folder.join(format!("events.out.tfevents.{seconds:010}.clipa.{number:03}"));
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => return Ok((file?, path)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many event files of one second"))
}

/// A TFRecord around some bytes.
fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let checksum = |bytes: &[u8]| masked_crc32c(bytes).to_le_bytes();
    [&length[..], &checksum(&length), content, &checksum(content)].concat()
}

/// A protobuf message under construction.
#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn varint(&mut self, field: u64, number: u64) {
        self.key(field, 0);
        self.raw_varint(number);
    }

    fn double(&mut self, field: u64, number: f64) {
        self.key(field, 1);
        self.bytes.extend(number.to_le_bytes());
    }

    fn float(&mut self, field: u64, number: f32) {
        self.key(field, 5);
        self.bytes.extend(number.to_le_bytes());
    }

    fn text(&mut self, field: u64, text: &str) {
        self.key(field, 2);
        self.raw_varint(text.len() as u64);
        self.bytes.extend(text.as_bytes());
    }

    fn message(&mut self, field: u64, fill: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        fill(&mut inner);
        self.key(field, 2);
        self.raw_varint(inner.bytes.len() as u64);
        self.bytes.extend(inner.bytes);
    }

    fn key(&mut self, field: u64, wire_type: u64) {
        self.raw_varint((field << 3) | wire_type);
    }

    fn raw_varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(((number & 0x7f) | 0x80) as u8);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

/// CRC-32C (Castagnoli), reflected, rotated and shifted as TFRecords have it.
fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4.
    #[test]
    fn the_checksums_of_the_rfc() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&rising), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_is_length_content_and_two_checksums() {
        let bytes = record(b"abc");
        assert_eq!(bytes.len(), 8 + 4 + 3 + 4);
        assert_eq!(bytes[..8], 3u64.to_le_bytes());
        assert_eq!(&bytes[12..15], b"abc");
        assert_eq!(bytes[15..], masked_crc32c(b"abc").to_le_bytes());
    }

    #[test]
    fn numbers_of_any_size_are_varints() {
        let mut message = Message::default();
        message.varint(1, 150);
        message.varint(2, 0);
        assert_eq!(message.bytes, [0x08, 0x96, 0x01, 0x10, 0x00]);
    }

    #[test]
    fn every_process_has_a_file_of_its_own() {
        let run = tempfile::tempdir().unwrap();
        let first = EventsFile::begin(run.path(), 0).unwrap();
        let second = EventsFile::begin(run.path(), 7).unwrap();
        assert_ne!(first.path(), second.path());
        assert!(first.path() < second.path());
    }
}
