//! Looks for settings that tell a secret, or mean something else when they are written down again.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gemini_balance::config::laws::holds(input));
