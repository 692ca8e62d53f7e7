//! Looks for a head that takes a credential, an address or a field of the hop across.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gemini_balance::proxy::laws::holds(input));
