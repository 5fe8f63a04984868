#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| eyelid_h264::fuzzing::h264(bytes));
