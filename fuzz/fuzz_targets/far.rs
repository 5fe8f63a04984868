#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| eyelid_capture::fuzzing::stream(bytes));
