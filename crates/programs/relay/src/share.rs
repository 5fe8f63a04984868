//! The side that shares.
