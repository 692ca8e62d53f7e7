//! Looks for a stream that is filtered differently when cut differently.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| laws::usage_filter::holds(input));
