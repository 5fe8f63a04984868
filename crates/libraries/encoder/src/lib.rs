//! Pictures to H.264, by whichever encoder there is.
