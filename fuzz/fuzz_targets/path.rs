//! Looks for a path that breaks out of the base URL.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| laws::path::holds(input));
