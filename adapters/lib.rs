pub mod contract;
pub mod tax;
