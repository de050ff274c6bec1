//! Errors on their way to the person: one message, and the remedy where it is known.

use std::{error::Error, fmt};

/// An error with a remedy. Its message is that of the error which it carries.
#[derive(Debug)]
pub struct Failure {
    error: anyhow::Error,
    hint: String,
}

/// Attaches a remedy to whatever went wrong.
pub trait WithHint<T> {
    /// Adds the remedy, which the Printer shows as a line `hint: ...` under the error.
    fn hint(self, hint: impl fmt::Display) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithHint<T> for Result<T, E> {
    fn hint(self, hint: impl fmt::Display) -> anyhow::Result<T> {
        self.map_err(|error| Failure::new(error, hint).into())
    }
}

impl Failure {
    /// The error, and what to do about it.
    pub fn new(error: impl Into<anyhow::Error>, hint: impl fmt::Display) -> Failure {
        Failure { error: error.into(), hint: hint.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The carried error itself is the source, so that a hint inside it is found; `message` drops
        // the repetition.
        Some(self.error.as_ref())
    }
}

/// The error and its causes on one line, without a part that its predecessor already ends with.
pub(super) fn message(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.is_empty() {
            message = cause;
        } else if !message.ends_with(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    message
}

/// The remedies that the error and its causes carry, outermost first.
pub(super) fn hints(error: &anyhow::Error) -> impl Iterator<Item = &str> {
    error.chain().filter_map(|cause| cause.downcast_ref::<Failure>()).map(|hinted| &*hinted.hint)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_hint_survives_context_and_the_message_repeats_nothing() {
        let inner: Result<(), _> = Err(std::io::Error::other("disk is on fire"));
        let error = inner.hint("pour water").context("cannot write a.tar").hint("then retry");
        let error = error.unwrap_err();
        assert_eq!(message(&error), "cannot write a.tar: disk is on fire");
        assert_eq!(hints(&error).collect::<Vec<_>>(), ["then retry", "pour water"]);
    }
}
