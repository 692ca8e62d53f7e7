//! Looks for a call of the admin API that passes for another one's.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gemini_balance::admin::laws::holds(input));
