//! What must hold whatever strangers, and files, say. The fuzz targets call this, and a test with
//! what they found (`fuzz/README.md`).

/// See `page`'s own.
///
/// # Panics
/// Where that does not hold.
pub fn page(bytes: &[u8]) {
    crate::page::fuzzing::page(bytes);
}

#[cfg(test)]
mod tests {
    #[test]
    fn page_corpus() {
        eyelid_replay::replay("alerts_page", super::page);
    }
}
