//! What looks at a picture for a rule; one file for each that asks somebody else.

mod obico;
mod says;
mod sees;
