//! The viewer page, filled with the cameras there are.

use eyelid_slot::CameraName;

const PAGE: &str = include_str!("viewer/index.html");
const CAMERA: &str = include_str!("viewer/camera.html");

/// viewer.css
pub(crate) const STYLE: &str = include_str!("viewer/viewer.css");
/// viewer.js
pub(crate) const SCRIPT: &str = include_str!("viewer/viewer.js");
/// icon.svg
pub(crate) const ICON: &str = include_str!("viewer/icon.svg");

/// Everything the page needs comes from this server, and nothing may be added to it.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; img-src 'self' blob:; connect-src 'self'; \
     script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'";

/// Which cameras the page shows, and from where in the tree of URLs.
#[derive(Clone, Debug)]
pub(crate) enum Page {
    /// All of them, at `/`.
    All(Vec<CameraName>),
    /// One, at `/NAME/`.
    One(CameraName),
}

impl Page {
    /// Gives the HTML. All its links are relative, for the proxies that put it below a prefix. Names of cameras need no
    /// escaping ([`CameraName`]).
    pub(crate) fn html(&self) -> String {
        let (root, title, cameras) = match self {
            Self::All(names) => {
                let below = |name: &CameraName| {
                    if name.is_default() {
                        String::new()
                    } else {
                        format!("{name}/")
                    }
                };
                (
                    "",
                    "Eyelid".to_owned(),
                    names
                        .iter()
                        .map(|name| camera(name, &below(name)))
                        .collect(),
                )
            }
            Self::One(name) => ("../", format!("{name} · Eyelid"), camera(name, "")),
        };
        PAGE.replace("{{root}}", root)
            .replace("{{title}}", &title)
            .replace("{{cameras}}", &cameras)
    }
}

fn camera(name: &CameraName, path: &str) -> String {
    CAMERA
        .replace("{{name}}", name.as_str())
        .replace("{{path}}", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_is_relative_and_every_camera_there() {
        let names = ["default", "front"].map(|name| name.parse().unwrap());
        let all = Page::All(names.to_vec()).html();
        assert!(
            all.contains("\"stream\"")
                && all.contains("\"front/stream\"")
                && all.contains("\"viewer.js\"")
        );
        let one = Page::One(names[1].clone()).html();
        assert!(one.contains("\"stream\"") && one.contains("\"../viewer.js\""));
        for html in [all, one] {
            assert!(
                !html.contains("{{") && !html.contains("=\"/") && !html.contains("://"),
                "{html}"
            );
            assert!(
                !html.contains("style=") && !html.contains("onclick"),
                "the policy forbids it"
            );
        }
    }
}
