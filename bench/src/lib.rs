//! The pictures that are measured with: what the program (`main.rs`) and the benchmarks beside it
//! (`benches/`) have in common.

pub mod film;
pub mod photo;
pub mod picture;
