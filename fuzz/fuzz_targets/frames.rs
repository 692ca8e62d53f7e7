//! Looks for a conversation over a WebSocket that is understood differently when cut differently.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| laws::frames::holds(input));
