#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| eyelid_http_client::fuzzing::challenge(bytes));
