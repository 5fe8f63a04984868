//! What the detector sees.
