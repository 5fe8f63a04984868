//! What a stream of H.264 says of itself: its units, its parameter sets.
