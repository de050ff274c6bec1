#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| clipa_fuzz::checkpoint(bytes));
