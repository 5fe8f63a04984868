//! What a path below `/alerts` is for, apart from HTTP.

use eyelid_slot::CameraName;

use super::rule_name::RuleName;
use crate::alert::AlertId;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The page.
    Page,
    /// The way to it, for who put a slash at the end: its links are relative to `/`.
    WithoutSlash,
    /// A part of the page.
    Asset(Asset),
    /// Alerts, the newest first.
    List,
    /// Alerts as they come.
    Events,
    /// The picture of an alert.
    Picture(AlertId),
    /// What is known of an alert.
    Alert(AlertId),
    /// Whether it was wrong.
    Wrong(AlertId),
    /// All rules; with POST a new one.
    Rules,
    /// A rule that was made on the page.
    Rule(CameraName, RuleName),
    /// Tries a sentence on the picture of now.
    Try,
    /// Nowhere.
    NotFound,
}

/// Parts of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asset {
    /// page.css
    Style,
    /// page.js
    Script,
    /// asking.js
    Asking,
    /// icon.svg
    Icon,
}

impl Route {
    /// Reads a request's path, with or without what proxies put before it.
    pub(crate) fn parse(path: &str) -> Self {
        let path = path.strip_prefix("/webcam").unwrap_or(path);
        match path.strip_prefix("/alerts") {
            Some("") => Self::Page,
            Some("/") => Self::WithoutSlash,
            Some(rest) => rest.strip_prefix('/').map_or(Self::NotFound, Self::below),
            None => Self::NotFound,
        }
    }

    fn below(path: &str) -> Self {
        match path {
            "page.css" => return Self::Asset(Asset::Style),
            "page.js" => return Self::Asset(Asset::Script),
            "asking.js" => return Self::Asset(Asset::Asking),
            "icon.svg" => return Self::Asset(Asset::Icon),
            "list.json" => return Self::List,
            "events" => return Self::Events,
            "rules" => return Self::Rules,
            "rules/try" => return Self::Try,
            _ => {}
        }
        if let Some(rule) = path.strip_prefix("rules/") {
            return Self::of_rule(rule).unwrap_or(Self::NotFound);
        }
        Self::of_alert(path).unwrap_or(Self::NotFound)
    }

    fn of_rule(path: &str) -> Option<Self> {
        let (camera, name) = path.split_once('/')?;
        Some(Self::Rule(camera.parse().ok()?, RuleName::parse(name)?))
    }

    fn of_alert(path: &str) -> Option<Self> {
        if let Some(id) = path.strip_suffix("/wrong") {
            return Some(Self::Wrong(id.parse().ok()?));
        }
        let (id, kind) = path.rsplit_once('.')?;
        let id = id.parse().ok()?;
        match kind {
            "jpg" => Some(Self::Picture(id)),
            "json" => Some(Self::Alert(id)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "20261128T140240.123Z-door-parcel";

    #[test]
    fn every_way_leads_where_it_says_and_none_elsewhere() {
        let id = || ID.parse::<AlertId>().unwrap();
        let rule = Route::Rule("door".parse().unwrap(), RuleName::parse("parcel").unwrap());
        for (path, route) in [
            ("/alerts", Route::Page),
            ("/webcam/alerts", Route::Page),
            ("/alerts/", Route::WithoutSlash),
            ("/alerts/page.js", Route::Asset(Asset::Script)),
            ("/alerts/list.json", Route::List),
            ("/alerts/events", Route::Events),
            ("/alerts/rules", Route::Rules),
            ("/alerts/rules/try", Route::Try),
            ("/alerts/rules/door/parcel", rule),
            (&format!("/alerts/{ID}.jpg"), Route::Picture(id())),
            (&format!("/alerts/{ID}.json"), Route::Alert(id())),
            (&format!("/webcam/alerts/{ID}/wrong"), Route::Wrong(id())),
        ] {
            assert_eq!(Route::parse(path), route, "{path}");
        }
        for path in [
            "",
            "/",
            "/alertsx",
            "/alerts/x",
            "/alerts//list.json",
            "/alerts/../etc/passwd",
            "/alerts/..%2f..%2fetc%2fpasswd.json",
            "/alerts/rules/door",
            "/alerts/rules/door/",
            "/alerts/rules/../x",
            "/alerts/rules/door/a/b",
            &format!("/alerts/{ID}"),
            &format!("/alerts/{ID}.png"),
            &format!("/alerts/x/{ID}.jpg"),
        ] {
            assert_eq!(Route::parse(path), Route::NotFound, "{path}");
        }
    }
}
