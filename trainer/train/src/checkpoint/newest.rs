//! The newest checkpoint of a run that may be under way: another one may replace it while it is read.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use tch::Tensor;

use super::{CheckpointError, MODEL, STATE, State, Weights, latest, tensors};

/// How often the newest checkpoint may vanish while it is read before that is an error.
const TRIES: usize = 32;

/// The weights of a checkpoint, in memory.
#[derive(Debug)]
pub struct Snapshot {
    /// The file that they were read from; a run under way may have removed it since.
    pub file: PathBuf,
    /// Where the run was.
    pub state: State,
    /// Every parameter by name, f32 on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Snapshot {
    /// Reads the newest checkpoint of a run. A run under way removes old checkpoints: where that happens while one is read,
    /// the one that is newest by then is read instead.
    ///
    /// # Errors
    /// A run without a checkpoint, a damaged one.
    pub fn newest(run: &Path, kind: Weights) -> Result<Snapshot, CheckpointError> {
        read_newest(run, |folder| Snapshot::read(folder, kind))
    }

    /// Reads a checkpoint's folder.
    ///
    /// # Errors
    /// A damaged checkpoint, or one that went away meanwhile.
    pub fn read(folder: &Path, kind: Weights) -> Result<Snapshot, CheckpointError> {
        let state_file = folder.join(STATE);
        let state = State::read(&state_file)?;
        let file = kind.file(folder.join(MODEL))?;
        let tensors = tensors::read(&file)?;
        // Without it the file was not compared with its checksum.
        State::read(&state_file)?;
        Ok(Snapshot { file, state, tensors })
    }
}

fn read_newest<T>(
    run: &Path,
    mut read: impl FnMut(&Path) -> Result<T, CheckpointError>,
) -> Result<T, CheckpointError> {
    let mut tries = 0;
    loop {
        let Some(folder) = latest(run)? else {
            let detail = "the folder has no checkpoint".to_owned();
            return Err(CheckpointError::Missing { path: run.into(), detail });
        };
        tries += 1;
        match read(&folder) {
            Err(_) if tries < TRIES && is_gone(&folder) => {}
            outcome => return outcome,
        }
    }
}

fn is_gone(folder: &Path) -> bool {
    !folder.join(STATE).is_file() || !folder.join(MODEL).is_file()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::checkpoint::CHECKPOINTS;

    fn make(run: &Path, step: u64) -> PathBuf {
        let folder = run.join(CHECKPOINTS).join(format!("step-{step:08}"));
        fs::create_dir_all(&folder).unwrap();
        [STATE, MODEL].iter().for_each(|name| fs::write(folder.join(name), b"x").unwrap());
        folder
    }

    #[test]
    fn one_that_goes_away_while_it_is_read_is_followed_by_the_next() {
        let run = tempfile::tempdir().unwrap();
        make(run.path(), 1);
        let mut next = 2;
        let read = read_newest(run.path(), |folder| {
            let model = folder.join(MODEL);
            if next < 5 {
                // The training writes another one and removes this.
                make(run.path(), next);
                next += 1;
                fs::remove_dir_all(folder).unwrap();
            }
            fs::read(&model).map_err(CheckpointError::io(&model))?;
            Ok(folder.to_owned())
        });
        assert!(read.unwrap().ends_with("step-00000004"));
        // What is there and damaged is an error at once.
        let mut tries = 0;
        let failed = read_newest(run.path(), |folder| {
            tries += 1;
            State::read(&folder.join(STATE)).map(drop)
        });
        assert!(matches!(failed, Err(CheckpointError::State { .. })) && tries == 1);
    }
}
