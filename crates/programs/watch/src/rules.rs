//! What a rule makes of what its judge says.
