//! What a printer was told, kept in memory for tests.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use clipa_pool::lock;

/// What a [`Printer::captured`](crate::Printer::captured) printer was told.
#[derive(Clone, Default)]
pub struct Captured {
    data: Recording,
    talk: Recording,
}

/// One of the two outputs, as bytes; its clones share them.
#[derive(Clone, Default)]
struct Recording(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// All that went to stdout.
    pub fn data(&self) -> String {
        self.data.text()
    }

    /// All that went to stderr.
    pub fn talk(&self) -> String {
        self.talk.text()
    }

    /// Two sinks whose bytes this value sees: for stdout and for stderr.
    pub(crate) fn sinks(&self) -> [Box<dyn Write + Send>; 2] {
        [Box::new(self.data.clone()), Box::new(self.talk.clone())]
    }
}

impl Recording {
    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }
}

impl Write for Recording {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
