//! Looks for a body that is changed where it should not be.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| laws::request::holds(input));
