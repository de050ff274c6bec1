//! Weights and the state of a run.

use clipa_train::checkpoint::{State, tensors};

use crate::in_a_file;

/// Both files of a checkpoint: the first byte says which.
pub fn checkpoint(bytes: &[u8]) {
    match bytes.split_first() {
        Some((b'{', _)) => state(bytes),
        _ => weights(bytes),
    }
}

/// A `.safetensors` file: every tensor has the numbers that its shape says, as f32.
fn weights(bytes: &[u8]) {
    let Ok(tensors) = in_a_file("model.safetensors", bytes, tensors::read) else { return };
    for (name, tensor) in tensors {
        let numbers: i64 = tensor.size().iter().product();
        assert_eq!(numbers as usize, tensor.numel(), "{name}");
        assert_eq!(tensor.kind(), tch::Kind::Float, "{name}");
        assert!(tensor.numel() <= 4 * bytes.len(), "{name}");
    }
}

/// A `state.json`: what is read is what was written.
fn state(bytes: &[u8]) {
    let Ok(state) = in_a_file("state.json", bytes, State::read) else { return };
    let written = clipa_schemas::file::json_text(&state).expect("a state is JSON");
    assert_eq!(written, bytes);
}
