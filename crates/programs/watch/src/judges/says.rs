//! What a model says to a rule in words.
