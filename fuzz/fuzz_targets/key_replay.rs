#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cacheado_fuzz::key_replay::read(bytes));
