//! Looks for a refusal that is misread, or a key that survives its redaction.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| laws::failure::holds(input));
