//! Looks for a body that names something without its being seen.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| laws::resource::holds(input));
