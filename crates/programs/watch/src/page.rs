//! The page of alerts.
