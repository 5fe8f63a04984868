//! What must hold of the page whatever its requests and its files say.

use serde_json::Value;

use super::body;
use super::query::Query;
use super::route::Route;
use super::rules::NewRule;
use super::rules_file::{MOST_CHARACTERS, MOST_RULES, RulesFile, Sentence};
use super::shown::ShownAlert;
use crate::alert::{AlertId, MOST_TEXT};

/// A file of rules is refused, or bounded, and what is written of it is the same. A path and a
/// query lead into no other directory. A body is a rule of one line, or refused. What is shown of
/// an alert is bounded.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn page(bytes: &[u8]) {
    of_file(bytes);
    of_alert(bytes);
    if let Ok(new) = body::parse::<NewRule>(bytes) {
        let mut file = RulesFile::default();
        let asked = new.into_asked();
        assert_is_line(&asked.says);
        let added = file.add(asked, |_| false, "anna", String::new());
        assert!(added.is_ok_and(|name| is_plain(name.as_str())));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        of_path(text);
        if let Ok(query) = Query::parse(Some(text)) {
            assert!((1..=100).contains(&query.limit));
            assert!(query.before.is_none_or(|id| is_plain(id.as_str())));
        }
    }
}

fn of_file(bytes: &[u8]) {
    let Ok(file) = RulesFile::parse(bytes) else {
        return;
    };
    assert!(file.rules().len() <= MOST_RULES);
    for rule in file.rules() {
        assert_is_line(&rule.says);
        assert!(is_plain(rule.name.as_str()), "{}", rule.name);
    }
    let Ok(written) = file.to_json() else {
        panic!("what was read cannot be written: {file:?}");
    };
    match RulesFile::parse(&written) {
        Ok(again) => assert_eq!(again, file),
        Err(error) => panic!("{error}"),
    }
}

fn of_alert(bytes: &[u8]) {
    let Ok(id) = "20261128T140240.123Z-door-parcel".parse::<AlertId>() else {
        panic!("that is a name");
    };
    let Ok(shown) = ShownAlert::parse(&id, bytes, false) else {
        return;
    };
    let alert = shown.alert();
    assert!(alert.id == id && alert.boxes.len() <= 100);
    for text in [&alert.asked, &alert.reason].into_iter().flatten() {
        assert!(text.chars().count() <= MOST_TEXT && !text.contains(char::is_control));
    }
    for seen in &alert.boxes {
        let sides = [
            seen.left,
            seen.top,
            seen.left + seen.width,
            seen.top + seen.height,
        ];
        // Sums of shares are rounded.
        let is_within = |side: &f64| (0.0..=1.0 + 1e-9).contains(side);
        assert!(sides.iter().all(is_within), "{seen:?}");
    }
    let Ok(told) = serde_json::to_value(&shown) else {
        panic!("what is shown cannot be told");
    };
    assert!(told.get("wrong") == Some(&Value::Bool(false)));
}

fn of_path(text: &str) {
    match Route::parse(text) {
        Route::Picture(id) | Route::Alert(id) | Route::Wrong(id) => {
            assert!(is_plain(id.as_str()), "{id}");
        }
        Route::Rule(camera, name) => {
            assert!(is_plain(camera.as_str()) && is_plain(name.as_str()));
        }
        _ => {}
    }
}

/// It is one file of a directory, and no hidden one.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_plain)
}

fn assert_is_line(says: &Sentence) {
    let text = says.as_str();
    assert!(
        (1..=MOST_CHARACTERS).contains(&text.chars().count()),
        "{text}"
    );
    assert!(!text.contains(char::is_control), "{text:?}");
}
