//! Ctrl-C: work stops in good order, so that the same command continues it.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

static STOP: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C sets the flag that is returned, in place of ending the program.
///
/// # Errors
/// The system refuses.
pub(super) fn on_ctrl_c() -> Result<&'static AtomicBool> {
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).context("cannot catch Ctrl-C")?;
    Ok(&STOP)
}
