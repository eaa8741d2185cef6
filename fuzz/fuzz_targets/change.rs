#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cacheado_fuzz::change::read(bytes));
