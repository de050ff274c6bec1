//! Why a pickle is not read.

/// What a pickle asks for, or what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum PickleError {
    /// A function, class or instruction that is on no list of ours.
    Foreign(String),
    /// It contradicts itself, ends early, or is beyond a limit.
    Damaged(String),
}

impl PickleError {
    pub(super) fn damaged<T>(detail: impl Into<String>) -> Result<T, PickleError> {
        Err(PickleError::Damaged(detail.into()))
    }

    pub(super) fn foreign<T>(asked: impl Into<String>) -> Result<T, PickleError> {
        Err(PickleError::Foreign(asked.into()))
    }
}
