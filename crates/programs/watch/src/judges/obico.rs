//! What Obico's ml_api says of a print.
