//! Which alerts are asked for.

use eyelid_slot::CameraName;

use super::rejection::Rejection;
use super::rule_name::RuleName;
use crate::alert::AlertId;

/// How many alerts there are in an answer where nothing is said, and at most.
const USUAL: usize = 20;
const MOST: usize = 100;

/// What a query asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// Those before this one.
    pub(crate) before: Option<AlertId>,
    /// Those of this camera.
    pub(crate) camera: Option<CameraName>,
    /// Those of this rule.
    pub(crate) rule: Option<RuleName>,
    /// So many.
    pub(crate) limit: usize,
}

impl Query {
    /// Reads a query. Parameters that are empty say nothing, and those that are unknown are
    /// ignored.
    ///
    /// # Errors
    /// What makes no sense in it.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Rejection> {
        let mut read = Self {
            before: None,
            camera: None,
            rule: None,
            limit: USUAL,
        };
        let pairs = query.unwrap_or_default().split('&');
        for (key, value) in pairs.filter_map(|pair| pair.split_once('=')) {
            if value.is_empty() {
                continue;
            }
            let wrong = |how: &str| Rejection::malformed(format!("{key}: {how}"));
            match key {
                "before" => {
                    let id = value.parse();
                    read.before = Some(id.map_err(|_| wrong("use the name of an alert"))?);
                }
                "camera" => {
                    let camera = value.parse();
                    read.camera = Some(camera.map_err(|_| wrong("use a camera's name"))?);
                }
                "rule" => {
                    let rule = RuleName::parse(value);
                    read.rule = Some(rule.ok_or_else(|| wrong("use a rule's name"))?);
                }
                "limit" => {
                    let limit = value
                        .parse()
                        .ok()
                        .filter(|limit| (1..=MOST).contains(limit));
                    read.limit = limit.ok_or_else(|| wrong("use a number, 1 to 100"))?;
                }
                _ => {}
            }
        }
        Ok(read)
    }

    /// Says whether an alert may be among those, as far as its name tells: `a-b` may be a camera,
    /// or one and the beginning of a rule.
    pub(crate) fn may_take(&self, id: &AlertId) -> bool {
        let whose = id.whose();
        let begins = |camera: &CameraName| {
            let rest = whose.strip_prefix(camera.as_str());
            rest.is_some_and(|rest| rest.starts_with('-'))
        };
        let ends = |rule: &RuleName| {
            let rest = whose.strip_suffix(rule.as_str());
            rest.is_some_and(|rest| rest.ends_with('-'))
        };
        self.camera.as_ref().is_none_or(begins) && self.rule.as_ref().is_none_or(ends)
    }

    /// Says whether an alert of this camera and rule is among those.
    pub(crate) fn takes(&self, camera: &str, rule: &str) -> bool {
        let is_camera = |wanted: &CameraName| wanted.as_str() == camera;
        let is_rule = |wanted: &RuleName| wanted.as_str() == rule;
        self.camera.as_ref().is_none_or(is_camera) && self.rule.as_ref().is_none_or(is_rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_asks_for_or_what_makes_no_sense() {
        let all = Query::parse(None).unwrap();
        assert_eq!((all.before, all.limit), (None, USUAL));
        let id = "20261128T140240.123Z-door-parcel";
        let text = format!("_=1&before={id}&camera=door&rule=parcel&limit=7&x");
        let one = Query::parse(Some(&text)).unwrap();
        assert_eq!(one.before, Some(id.parse().unwrap()));
        assert_eq!(one.limit, 7);
        assert!(one.takes("door", "parcel") && !one.takes("door", "visitor"));
        let empty = Query::parse(Some("camera=&rule=&before=&limit=")).unwrap();
        assert!(empty.takes("any", "thing"));
        for bad in [
            "before=x",
            "before=../x",
            "camera=a/b",
            "camera=%20",
            "rule=a b",
            "limit=0",
            "limit=101",
            "limit=-1",
        ] {
            assert!(Query::parse(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_tells_whose_an_alert_may_be() {
        let id = "20261128T140240.123Z-back-door-left-parcel"
            .parse()
            .unwrap();
        for (query, may) in [
            ("", true),
            ("camera=back", true),
            ("camera=back-door&rule=parcel", true),
            ("camera=back-door&rule=left-parcel", true),
            ("camera=bac", false),
            ("camera=door", false),
            ("rule=arcel", false),
        ] {
            assert_eq!(
                Query::parse(Some(query)).unwrap().may_take(&id),
                may,
                "{query}"
            );
        }
    }
}
