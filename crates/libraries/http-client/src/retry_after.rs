//! `Retry-After` (RFC 9110, 10.2.3): when to ask again.

use std::time::{Duration, SystemTime};

use hyper::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

/// Who asks for a longer pause is asked again after this one: a mistyped header must not silence a
/// rule for ever.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The pause that `headers` ask for, if any, at most [`LONGEST_RETRY_AFTER`]. A date is compared
/// with the answer's own, as both are of one clock, and with `now` where it has none.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).map(HeaderValue::as_bytes);
    let value = std::str::from_utf8(text(RETRY_AFTER)?).ok()?.trim();
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let pause = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only too many digits are no number here.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let sent = text(DATE).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let sent = sent.and_then(date).unwrap_or(now);
        date(value)?.duration_since(sent).unwrap_or_default()
    };
    Some(pause.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(fields: &[(hyper::header::HeaderName, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        let now = httpdate::parse_http_date("Mon, 30 Nov 2026 05:00:00 GMT").unwrap();
        retry_after(&headers, now)
    }

    #[test]
    fn reads_seconds_and_dates() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let at = "Mon, 30 Nov 2026 05:00:30 GMT";
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[(RETRY_AFTER, "7")]), seconds(7));
        assert_eq!(asked(&[(RETRY_AFTER, " 0 ")]), seconds(0));
        assert_eq!(asked(&[(RETRY_AFTER, at)]), seconds(30));
        // The other's clock is a minute late: it is its own date that counts.
        let fields = [(RETRY_AFTER, at), (DATE, "Mon, 30 Nov 2026 04:59:00 GMT")];
        assert_eq!(asked(&fields), seconds(90));
        // Past is now.
        let past = "Mon, 30 Nov 2026 04:00:00 GMT";
        assert_eq!(asked(&[(RETRY_AFTER, past)]), seconds(0));
    }

    #[test]
    fn bounds_what_is_asked_for() {
        let far = "Mon, 30 Nov 2099 05:00:00 GMT";
        for long in ["86401", "99999999999999999999999", far] {
            assert_eq!(
                asked(&[(RETRY_AFTER, long)]),
                Some(LONGEST_RETRY_AFTER),
                "{long}"
            );
        }
        for none in ["soon", "-1", "1.5", ""] {
            assert_eq!(asked(&[(RETRY_AFTER, none)]), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn never_asks_for_longer(value in "[ -~]{0,40}") {
            let pause = asked(&[(RETRY_AFTER, &value)]);
            prop_assert!(pause.is_none_or(|pause| pause <= LONGEST_RETRY_AFTER));
        }
    }
}
