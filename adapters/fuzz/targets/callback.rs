#![no_main]

use std::sync::LazyLock;

use hocphi_adapters::Registry;

static SHIPPED: LazyLock<Registry> = LazyLock::new(Registry::builtin);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hocphi_adapters::kit::hostile::callback(&SHIPPED, bytes);
});
