//! `eyelid-video`: cameras as H.264, one encoder for each that somebody watches.

#![allow(dead_code, reason = "the parts that use these are being built")]

mod app;
mod coded;
mod feeds;
mod mse;
mod route;
mod tap;
#[cfg(test)]
mod testing;
