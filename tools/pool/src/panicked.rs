//! A panic as an error like another.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A mistake of the program, met in the middle of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} panicked: {message}. This is a mistake in clipa, please report it")]
pub struct Panicked {
    /// The thread, or what it had in work.
    pub what: String,
    /// What the panic said.
    pub message: String,
}

/// What a panic said; [`Panic::of`] makes an error of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    message: String,
}

impl Panic {
    /// The error that names what was in work.
    pub fn of(self, what: impl Into<String>) -> Panicked {
        Panicked { what: what.into(), message: self.message }
    }
}

/// What [`std::thread::JoinHandle::join`] and [`catch_unwind`] return of a panic.
impl From<Box<dyn Any + Send>> for Panic {
    fn from(payload: Box<dyn Any + Send>) -> Panic {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Panic { message: text.unwrap_or_else(|| "no message".to_owned()) }
    }
}

/// Does `work`; what it owns is dropped when it panics, its permits among it.
///
/// What `work` only borrowed may be left half done: use it no more than to say what was in work.
///
/// # Errors
/// `work` panicked.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(work)).map_err(Panic::from)
}

#[cfg(test)]
mod tests {
    use std::{panic::panic_any, thread};

    use super::*;
    use crate::Permits;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        assert_eq!(caught(|| 3), Ok(3));
        let number = 7;
        let formatted = caught(|| assert!(number < 7, "row {number}")).unwrap_err();
        assert_eq!(
            formatted.of("the stage `read`").to_string(),
            "the stage `read` panicked: row 7. This is a mistake in clipa, please report it"
        );
        let plain = caught(|| panic!("plain")).unwrap_err();
        assert_eq!(plain, Panic { message: "plain".to_owned() });
        let other = caught(|| panic_any(5u8)).unwrap_err();
        assert_eq!(other, Panic { message: "no message".to_owned() });
    }

    #[test]
    fn a_thread_that_died_is_told_the_same() {
        let joined = thread::spawn(|| panic!("gone")).join();
        assert_eq!(Panic::from(joined.unwrap_err()), Panic { message: "gone".to_owned() });
    }

    #[test]
    fn a_panic_loses_no_permit() {
        let permits = Permits::new(4);
        let chunk = permits.take(3);
        let done = caught(|| {
            let _chunk = chunk;
            assert_eq!(permits.free(), 4, "one is taken");
        });
        assert!(done.is_err());
        assert_eq!(permits.free(), 4);
    }
}
