//! How people are told.
