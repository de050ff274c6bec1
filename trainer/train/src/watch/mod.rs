//! What is looked at while a run goes on.
//!
//! ```text
//! a step's loss and norms, on the device ──► Pending ──► Watch ──► Event (no number, or a spike)
//! a step's record ──► EventsFile (TensorBoard)
//! ```

mod health;
mod peaks;
mod tensorboard;

pub use self::{
    health::{
        Event, EventKind, Pending, SPIKE_DEVIATIONS, SPIKE_NATS, StepNumbers, WINDOW_STEPS, Watch,
    },
    peaks::{Peak, peak_of, peak_of_device},
    tensorboard::{EventsFile, TENSORBOARD},
};
