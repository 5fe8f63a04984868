#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| eyelid_relay::fuzzing::relay_wire(bytes));
