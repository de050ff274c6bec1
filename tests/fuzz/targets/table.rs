#![no_main]

// Panics of the Parquet reader are caught and become errors, so they must not end the process.
libfuzzer_sys::fuzz_target!(init: drop(std::panic::take_hook()), |bytes: &[u8]| clipa_fuzz::table(bytes));
