//! `eyelid-video`: cameras as H.264, one encoder for each that somebody watches.

mod coded;
