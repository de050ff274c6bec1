//! What a checkpoint holds, and its way to the disk.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use tch::{Device, Tensor};

use super::{
    CHECKPOINTS, CheckpointError, EMA, MODEL, OPTIMIZER, PREFIX, STATE, State, keep::Keep, tensors,
};
use crate::{average::Average, model::Clip, optimizer::AdamW};

/// Tensors of a checkpoint by file, and its state.
#[derive(Debug)]
pub struct Content {
    files: Vec<(&'static str, Vec<(String, Tensor)>)>,
    state: State,
}

impl Content {
    /// What there is now. The tensors are those that training goes on with.
    pub fn of(model: &Clip, optimizer: &AdamW, average: Option<&Average>, state: State) -> Content {
        let parameters = model.parameters().iter();
        let parameters =
            parameters.map(|p| (p.spec.name.clone(), p.tensor.shallow_clone())).collect();
        let mut files = vec![(MODEL, parameters), (OPTIMIZER, optimizer.moments())];
        files.extend(average.map(|average| (EMA, average.weights(model))));
        Content { files, state }
    }

    /// The same in main memory, where training changes nothing of it any more.
    pub fn copied(mut self) -> Content {
        let _no_grad = tch::no_grad_guard();
        for (_, tensor) in self.files.iter_mut().flat_map(|(_, tensors)| tensors) {
            *tensor = match tensor.device() {
                Device::Cpu => tensor.detach().copy(),
                _ => tensor.detach().to_device(Device::Cpu),
            };
        }
        self
    }

    /// Bytes of its tensors.
    pub fn bytes(&self) -> u64 {
        let tensors = self.files.iter().flat_map(|(_, tensors)| tensors);
        tensors.map(|(_, tensor)| (tensor.numel() * size_of::<f32>()) as u64).sum()
    }

    /// Writes it as a checkpoint of a run and removes those that `keep` does not keep; returns its folder.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]; what was there before is then still there.
    pub fn write(self, run: &Path, keep: &Keep) -> Result<PathBuf, CheckpointError> {
        let parent = run.join(CHECKPOINTS);
        let step = self.state.step;
        let target = parent.join(format!("{PREFIX}{step:08}"));
        let temporary = parent.join(format!(".{PREFIX}{step:08}.tmp"));
        remove(&temporary)?;
        fs::create_dir_all(&temporary).map_err(CheckpointError::io(&temporary))?;
        if let Err(error) = self.write_files(&temporary) {
            // Half a checkpoint would only fill a disk that may be full already.
            let _ = fs::remove_dir_all(&temporary);
            return Err(error);
        }
        remove(&target)?;
        fs::rename(&temporary, &target).map_err(CheckpointError::io(&target))?;
        sync(&parent)?;
        for folder in keep.superfluous(run)? {
            remove(&folder)?;
        }
        Ok(target)
    }

    fn write_files(self, folder: &Path) -> Result<(), CheckpointError> {
        let mut files = Vec::new();
        for (name, tensors) in self.files {
            files.push(tensors::write(&folder.join(name), tensors)?);
        }
        write_state(&folder.join(STATE), State { files, ..self.state })?;
        sync(folder)
    }
}

pub(super) fn write_state(path: &Path, state: State) -> Result<(), CheckpointError> {
    clipa_schemas::file::write_json(path, &state.sealed())?;
    Ok(())
}

fn sync(folder: &Path) -> Result<(), CheckpointError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(CheckpointError::io(folder))
}

fn remove(folder: &Path) -> Result<(), CheckpointError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(CheckpointError::Io { path: folder.into(), source: error })
        }
        _ => Ok(()),
    }
}
