//! What an alert says, and what it is called.
