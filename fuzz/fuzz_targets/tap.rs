//! Looks for an answer that is seen differently when cut differently.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| laws::tap::holds(input));
