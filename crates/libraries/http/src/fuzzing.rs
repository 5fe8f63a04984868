//! What must hold whatever strangers send and whatever is in a password file. The fuzz targets call
//! this, and the tests with what those found (`fuzz/README.md`).

pub use crate::auth::check_users as users;
pub use crate::hand_over::fuzzing::handed;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handed_corpus() {
        eyelid_replay::replay("handed", handed);
    }

    #[test]
    fn users_corpus() {
        eyelid_replay::replay("users", users);
    }
}
