//! Alerts on the disk.
