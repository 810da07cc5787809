#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hocphi_adapters::kit::hostile::recipe(bytes));
