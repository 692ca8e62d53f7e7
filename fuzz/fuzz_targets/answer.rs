//! Looks for an answer that is read differently when it arrives in other pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gemini_balance::upstream::laws::holds(input));
