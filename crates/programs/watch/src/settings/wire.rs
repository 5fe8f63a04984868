//! No key, token or password goes over a wire in the clear. Where it would is decided by
//! `eyelid-http-client`, which refuses to send one there; here it is found before anything starts,
//! and named with its key of the file.

use eyelid_config::HttpUrl;
use eyelid_http_client::Url;

/// Sees to it that `what` may go to this URL.
///
/// # Errors
/// It may not, and what to do.
pub(super) fn check(what: &str, url: &HttpUrl) -> Result<(), String> {
    let cure = "use https, or leave key-file out";
    check_any(what, url.as_str(), url.host_and_port(), cure)
}

/// The same for the password of a broker, to which there is no TLS here.
///
/// # Errors
/// It may not go there, and what to do.
pub(super) fn check_broker(host: &str, port: u16) -> Result<(), String> {
    let to = format!("{host}:{port}");
    let cure = "use a broker of this machine, or a command (mosquitto_pub), or say \
                password-in-the-clear = true, if the network is yours alone";
    check_any("password", &format!("http://{to}"), &to, cure)
}

fn check_any(what: &str, url: &str, to: &str, cure: &str) -> Result<(), String> {
    if url.parse().is_ok_and(|url: Url| url.may_be_given_keys()) {
        return Ok(());
    }
    Err(format!("the {what} would go to {to} in the clear: {cure}"))
}
