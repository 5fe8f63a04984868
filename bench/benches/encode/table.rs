//! Rows of a table, of which the first of those with the same beginning is the limit.

/// Rows, and what those that come next have in common.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) rows: String,
    common: String,
    limit_ms: Option<f64>,
}

impl Table {
    /// The rows that follow begin with these cells, and have a limit of their own.
    pub(crate) fn next(&mut self, common: String) {
        self.common = common;
        self.limit_ms = None;
    }

    /// Adds one, with the cells that follow the ratio to the limit. It is left out where `None`
    /// says that it was not measured, since criterion was told so.
    pub(crate) fn row(&mut self, way: &str, milliseconds: Option<f64>, rest: &str) {
        let Some(milliseconds) = milliseconds else {
            return;
        };
        let limit = *self.limit_ms.get_or_insert(milliseconds);
        let ratio = milliseconds / limit;
        let common = &self.common;
        self.rows += &format!("{common} {way} | {milliseconds:.2} | {ratio:.2} |{rest}\n");
    }
}
