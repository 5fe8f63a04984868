//! One password for those who need no htpasswd file: written down as it is, hashed when it is read.

use eyelid_config::PASSWORD_VARIABLE;

use super::{AuthFault, MAX_PASSWORD_BYTES, Password, read};

/// What a hash costs: 15 ms on a PC, a quarter of a second on the slowest Pi. The server hashes it
/// anew each time it starts, and whoever waits for the first picture waits for that.
const COST: u32 = 8;

/// Gives the user and the hash of the password.
///
/// # Errors
/// What is not as it should be, without the password.
pub(super) fn hashed(password: &Password) -> Result<(String, String), AuthFault> {
    let (text, place) = match password {
        Password::File(path) => (read(path)?, format!("password file {path:?}")),
        Password::Environment(text) => (text.clone(), PASSWORD_VARIABLE.to_owned()),
    };
    let wrong = |what| Err(AuthFault::Plain(place.clone(), what));
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(char::is_control) {
        return wrong("it has more than one line, or control characters");
    }
    let Some((user, password)) = line.split_once(':') else {
        return wrong("no colon after the user");
    };
    if user.is_empty() || password.is_empty() {
        return wrong("the user or the password is empty");
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return wrong("the password has more than 72 bytes");
    }
    match bcrypt::hash(password, COST) {
        Ok(hash) => Ok((user.to_owned(), hash)),
        Err(error) => Err(AuthFault::Hash(place, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn environment(text: &str) -> Result<(String, String), AuthFault> {
        hashed(&Password::Environment(text.to_owned()))
    }

    #[test]
    fn is_one_line_of_a_user_and_a_password() {
        for text in ["anna:geheim: ü", "anna:geheim: ü\n", "anna:geheim: ü\r\n"] {
            let (user, hash) = environment(text).unwrap();
            assert!(user == "anna" && bcrypt::verify("geheim: ü", &hash).unwrap());
        }
        for bad in [
            "",
            "\n",
            "anna",
            "anna:",
            ":secret",
            "anna:secret\nben:secret",
            "anna:a\0b",
        ] {
            let error = environment(bad).unwrap_err().to_string();
            assert!(error.starts_with("EYELID_PASSWORD: "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(environment(&format!("anna:{}", "x".repeat(73))).is_err());
        let missing = hashed(&Password::File(PathBuf::from("/nowhere"))).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with("password file \"/nowhere\": "),
            "{missing}"
        );
    }
}
