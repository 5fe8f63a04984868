//! Cameras as H.264.

fn main() {}
