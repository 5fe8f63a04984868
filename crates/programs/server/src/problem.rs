//! Why there is no other answer: JSON for programs, and a page for people who came by a link.

use hyper::header::ACCEPT;
use hyper::http::request::Parts;

use crate::answer::Answer;
use crate::route;
use crate::viewer;

/// What an answer says in its JSON: a note for [`as_page_for_people`].
#[derive(Clone)]
pub(crate) struct Problem(pub(crate) String);

/// Says the same as a page where a browser asks for one: when somebody opens an address, not for `<img>` and scripts.
pub(crate) fn as_page_for_people(request: &Parts, answer: &mut Answer) {
    let Some(Problem(what)) = answer.extensions_mut().remove() else {
        return;
    };
    let mut accepted = request.headers.get_all(ACCEPT).iter();
    if accepted.any(|value| value.to_str().is_ok_and(takes_html)) {
        let root = "../".repeat(route::depth(request.uri.path()));
        let html = viewer::problem(answer.status(), &what, &root);
        viewer::put(html, answer);
    }
}

fn takes_html(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let media_type = range.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("text/html")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_that_open_an_address_take_html() {
        for (accept, takes) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("image/avif,image/webp, Text/HTML;q=0.5", true),
            ("*/*", false),
            ("image/avif,image/webp,image/*,*/*;q=0.8", false),
            ("text/htmlx, application/json", false),
            ("", false),
        ] {
            assert_eq!(takes_html(accept), takes, "{accept}");
        }
    }
}
