//! How another Eyelid is asked for no more frames than are published here, so that the link carries
//! no others. No socket here.

use eyelid_config::Fps;
use eyelid_http_client::Url;
use eyelid_http_client::header::HeaderMap;

/// What Eyelid's streams are called (docs/http.md). Others that have one of these names do not mind
/// what they do not know: ustreamer, camera-streamer and Espressif's CameraWebServer do not.
const STREAMS: [&str; 2] = ["stream", "stream.mjpg"];

/// Says in a stream's head how many frames a second it has at most.
const KEPT: &str = "x-fps";

/// How much faster a rate may be that is kept: it is written down and read in between.
const ROUNDED: f64 = 1.001;

/// The most frames a second that are published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate(Fps);

impl Rate {
    pub(super) fn new(fps: Fps) -> Self {
        Self(fps)
    }

    /// The URL that asks for it; `None` where that is no stream's, or says something already: then
    /// it may be a secret, or signed.
    pub(super) fn asked_of(self, url: &Url) -> Option<Url> {
        let target = url.target();
        let name = target.rsplit('/').next().unwrap_or_default();
        let capped = || url.resolve(&format!("{target}?fps={}", self.0.per_second()));
        let says_nothing = STREAMS.contains(&name) && !target.contains('?');
        says_nothing.then(capped)?.ok()
    }

    /// Whether the answer with these headers has no more frames.
    pub(super) fn is_kept(self, headers: &HeaderMap) -> bool {
        let kept = headers.get(KEPT).and_then(|value| value.to_str().ok());
        let kept = kept.and_then(|value| value.trim().parse::<f64>().ok());
        kept.is_some_and(|fps| fps > 0.0 && fps <= self.0.per_second() * ROUNDED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_http_client::header::HeaderValue;

    #[test]
    fn a_stream_that_says_nothing_else_is_asked_for_it() {
        let rate = Rate::new("2.5".parse().unwrap());
        let asked = |url: &str| Some(rate.asked_of(&url.parse().unwrap())?.secret());
        for (url, capped) in [
            ("http://h/stream", "http://h/stream?fps=2.5"),
            (
                "http://h:81/door/stream.mjpg",
                "http://h:81/door/stream.mjpg?fps=2.5",
            ),
        ] {
            assert_eq!(asked(url).as_deref(), Some(capped));
        }
        for url in [
            "http://h/",
            "http://h/stream?fps=5",
            "http://h/?action=stream",
            "http://h/stream/",
            "http://h/video?a=/stream",
            "http://h/snapshot",
        ] {
            assert_eq!(asked(url), None, "{url}");
        }
    }

    #[test]
    fn it_is_kept_where_the_answer_says_so() {
        let kept = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(KEPT, HeaderValue::from_static(value));
            Rate::new("5".parse().unwrap()).is_kept(&headers)
        };
        assert_eq!(["5", "4.99", "5.001"].map(kept), [true; 3]);
        assert_eq!(["6", "0", "-1", "NaN", "", "60 fps"].map(kept), [false; 6]);
        assert!(!Rate::new("5".parse().unwrap()).is_kept(&HeaderMap::new()));
    }
}
