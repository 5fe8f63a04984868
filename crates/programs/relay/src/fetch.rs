//! The side that fetches.
