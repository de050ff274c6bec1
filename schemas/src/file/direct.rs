//! Blocks to the disk on a thread of their own, past the page cache where the file system allows it.
//!
//! A data set is written once and is larger than memory: the page cache would only be flooded by it, and copying into
//! it costs a core 0.1 to 0.4 ms for each megabyte (performance page), more than decoding costs. The thread waits
//! for the disk nearly all of its time.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread::JoinHandle,
};

use super::block::{BLOCK_BYTES, Block};

/// Blocks of one file at most, waiting, being written or being filled. A row group of a shard comes at once and
/// should not wait for the disk; they are only made while the disk is behind.
const MAX_BLOCKS: usize = 36;

/// The way of full blocks to the disk.
#[derive(Debug)]
pub(super) struct DiskLane {
    full: SyncSender<Block>,
    empty: Receiver<Block>,
    thread: JoinHandle<io::Result<()>>,
    made: usize,
}

impl DiskLane {
    /// Begins to write the file at `path`, which exists, from its start.
    pub(super) fn start(path: &Path) -> io::Result<DiskLane> {
        let file = LaneFile::open(path)?;
        let (full, blocks) = sync_channel(MAX_BLOCKS);
        let (give_back, empty) = channel();
        let thread = std::thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || write_blocks(file, blocks, give_back))?;
        Ok(DiskLane { full, empty, thread, made: 1 })
    }

    /// Sends a full block and returns an empty one; waits where the disk is behind.
    pub(super) fn exchange(&mut self, block: Block) -> io::Result<Block> {
        self.full.send(block).map_err(|_| failed())?;
        let mut block = match self.empty.try_recv() {
            Ok(block) => block,
            Err(_) if self.made < MAX_BLOCKS => {
                self.made += 1;
                return Block::new();
            }
            Err(_) => self.empty.recv().map_err(|_| failed())?,
        };
        block.clear();
        Ok(block)
    }

    /// Writes the last block and waits until everything is durable.
    pub(super) fn finish(self, last: Block) -> io::Result<()> {
        let sent = self.full.send(last);
        drop(self.full);
        let written = self.thread.join().unwrap_or_else(|_| Err(failed()));
        written.and(sent.map_err(|_| failed()))
    }

    /// Ends the thread; why it failed, where it did.
    pub(super) fn abandon(self) -> io::Result<()> {
        drop(self.full);
        self.thread.join().unwrap_or_else(|_| Err(failed()))
    }
}

fn failed() -> io::Error {
    io::Error::other("the thread that writes the file has ended")
}

fn write_blocks(
    mut file: LaneFile,
    blocks: Receiver<Block>,
    give_back: Sender<Block>,
) -> io::Result<()> {
    let mut length = 0;
    for mut block in blocks {
        file.write(&mut block, length)?;
        length += block.bytes().len() as u64;
        // nobody takes blocks back any more once the last one was sent
        let _ = give_back.send(block);
    }
    // the last block was padded
    file.file.set_len(length)?;
    file.file.sync_all()
}

/// The file, opened past the page cache where that is possible.
struct LaneFile {
    file: File,
    path: PathBuf,
    is_direct: bool,
}

impl LaneFile {
    fn open(path: &Path) -> io::Result<LaneFile> {
        // tmpfs and some network file systems refuse
        if let Some(Ok(file)) = open_direct(path) {
            return Ok(LaneFile { file, path: path.to_owned(), is_direct: true });
        }
        let file = OpenOptions::new().write(true).open(path)?;
        Ok(LaneFile { file, path: path.to_owned(), is_direct: false })
    }

    fn write(&mut self, block: &mut Block, offset: u64) -> io::Result<()> {
        debug_assert!(offset.is_multiple_of(BLOCK_BYTES as u64));
        if self.is_direct {
            match self.file.write_all_at(block.padded(), offset) {
                // sectors larger than our alignment, or a file system that only says at the first write that it cannot
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.file = OpenOptions::new().write(true).open(&self.path)?;
                    self.is_direct = false;
                }
                done => return done,
            }
        }
        self.file.write_all_at(block.bytes(), offset)
    }
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> Option<io::Result<File>> {
    use std::os::unix::fs::OpenOptionsExt;
    Some(OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path))
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_path: &Path) -> Option<io::Result<File>> {
    None
}
