//! A page for people who came by a link, in the place of JSON that says why there is no other
//! response.

use eyelid_http::response::{FullResponse, Problem, accepts_page};
use hyper::http::request::Parts;

use crate::route;
use crate::viewer;

/// Says what a problem's JSON says as a page where a browser asks for one.
pub(crate) fn as_page_for_people(request: &Parts, response: &mut FullResponse) {
    let Some(Problem(what)) = response.extensions_mut().remove() else {
        return;
    };
    if accepts_page(request) {
        let root = "../".repeat(route::depth(request.uri.path()));
        let html = viewer::problem(response.status(), &what, &root);
        viewer::put(html, response);
    }
}
