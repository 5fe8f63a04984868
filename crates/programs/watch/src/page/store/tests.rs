use super::*;
use crate::case::CASE_FILE;
use crate::earlier::{Earlier, to_file};
use crate::page::index::Since;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::timeout;

fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    for name in ["alerts", "rules", "state"] {
        fs::create_dir(directory.path().join(name)).unwrap();
    }
    let store = opened(&directory);
    (directory, store)
}

fn opened(directory: &TempDir) -> Store {
    let path = |name| directory.path().join(name);
    Store::new(path("alerts"), [path("rules"), path("state")])
}

fn put(directory: &TempDir, second: u32, camera: &str, rule: &str) -> AlertId {
    let moment = format!("2026-11-28T14:{:02}:{:02}.000Z", second / 60, second % 60);
    let name = format!("{}-{camera}-{rule}", moment.replace([':', '-'], ""));
    let alert = json!({
        "version": 1, "id": name, "camera": camera, "rule": rule, "kind": "seen", "at": moment,
        "picture": true,
    });
    let file = |kind: &str| directory.path().join(format!("alerts/{name}.{kind}"));
    files::replace(&file("jpg"), b"\xff\xd8\xff\xd9").unwrap();
    files::replace(&file("json"), alert.to_string().as_bytes()).unwrap();
    name.parse().unwrap()
}

fn listed(store: &Store, query: &str) -> (Vec<String>, Option<AlertId>) {
    let listed = store.list(&Query::parse(Some(query)).unwrap());
    let ids = listed
        .alerts
        .iter()
        .map(|shown| shown.alert().id.to_string());
    (ids.collect(), listed.next)
}

#[test]
fn pages_of_a_list_join_and_end() {
    let (directory, store) = store();
    for second in 0..50 {
        put(
            &directory,
            second,
            "door",
            if second % 2 == 0 { "a" } else { "b" },
        );
    }
    // A rule whose name ends as another's.
    put(&directory, 50, "door", "x-a");
    for (filter, expected) in [("", 51), ("&rule=a", 25), ("&camera=door&rule=b", 25)] {
        let (mut all, mut before) = (Vec::new(), String::new());
        loop {
            let (ids, next) = listed(&store, &format!("limit=7&before={before}{filter}"));
            assert!(ids.len() <= 7);
            all.extend(ids);
            match next {
                Some(id) => before = id.to_string(),
                None => break,
            }
        }
        assert_eq!(all.len(), expected, "{filter}");
        assert!(all.is_sorted_by(|newer, older| newer > older), "{filter}");
    }
    assert_eq!(listed(&store, "camera=attic"), (vec![], None));
}

#[test]
fn what_is_no_alert_is_left_out() {
    let (directory, store) = store();
    let good = put(&directory, 1, "door", "a");
    let alerts = directory.path().join("alerts");
    fs::write(alerts.join("20261128T140002.000Z-door-a.json"), "{").unwrap();
    fs::write(alerts.join("notes.json"), "{}").unwrap();
    fs::create_dir(alerts.join("20261128T140003.000Z-door-a.json")).unwrap();
    assert_eq!(listed(&store, "").0, [good.to_string()]);
}

#[test]
fn a_case_is_kept_with_its_user_and_let_go() {
    let (directory, store) = store();
    let id = put(&directory, 1, "door", "a");
    let case = directory.path().join(format!("alerts/cases/{id}"));
    let file = |name: &str| case.join(name);
    let before = Earlier {
        before: Duration::from_millis(1500),
        jpeg: b"earlier"[..].into(),
    };
    let earlier = directory.path().join(format!("alerts/{id}.earlier"));
    fs::write(earlier, to_file(&[before])).unwrap();
    let is_wrong = || serde_json::to_value(store.alert(&id).unwrap()).unwrap()["wrong"] == true;
    assert!(!is_wrong());
    for _ in 0..2 {
        let kept = store.keep(&id, "anna", SystemTime::now()).unwrap();
        assert_eq!((&kept.directory, kept.pictures), (&case, 2));
    }
    assert!(is_wrong());
    assert_eq!(fs::read(file("1.jpg")).unwrap(), b"earlier");
    assert_eq!(fs::read(file("2.jpg")).unwrap(), b"\xff\xd8\xff\xd9");
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(file(CASE_FILE)).unwrap()).unwrap();
    assert_eq!(
        (&json["wrong"]["user"], &json["rule"]),
        (&json!("anna"), &json!("a"))
    );
    let pictures = json!([{"file": "1.jpg", "before_ms": 1500}, {"file": "2.jpg", "before_ms": 0}]);
    assert_eq!(json["pictures"], pictures);
    for _ in 0..2 {
        store.let_go(&id).unwrap();
    }
    assert!(!is_wrong() && !case.exists());
    let missing = "20261128T140000.000Z-no-alert".parse().unwrap();
    let error = store.keep(&missing, "anna", SystemTime::now()).unwrap_err();
    assert_eq!(error.status(), 404);
}

#[test]
fn cases_are_bounded() {
    let (directory, store) = store();
    let mut refused = 0;
    for second in 0..210 {
        let id = put(&directory, second, "door", "a");
        refused += usize::from(store.keep(&id, "anna", SystemTime::now()).is_err());
    }
    assert_eq!(refused, 10);
}

/// Waits for the next arrivals behind `number`.
async fn next(store: &Store, number: &mut u64) -> Arrival {
    let mut arrivals = store.arrivals();
    loop {
        if let Since::Next(at, arrival) = store.index.borrow().since(*number) {
            *number = at + 1;
            return arrival.clone();
        }
        timeout(Duration::from_secs(10), arrivals.changed())
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn what_comes_is_told_of_in_order() {
    let (directory, store) = store();
    let scenario = async {
        let mut number = store.index().now();
        // Until it is watched it is looked at.
        while !store.is_watched.get() {
            tokio::task::yield_now().await;
        }
        let late = put(&directory, 9, "door", "a");
        assert_eq!(next(&store, &mut number).await, Arrival::Alert(late));
        let earlier = put(&directory, 5, "door", "a");
        assert_eq!(
            next(&store, &mut number).await,
            Arrival::Alert(earlier.clone())
        );
        files::replace(&directory.path().join("rules/door.json"), b"{}").unwrap();
        assert_eq!(next(&store, &mut number).await, Arrival::Rules);
        store.keep(&earlier, "anna", SystemTime::now()).unwrap();
        assert_eq!(
            next(&store, &mut number).await,
            Arrival::Judged(earlier.clone())
        );
        fs::remove_file(directory.path().join(format!("alerts/{earlier}.json"))).unwrap();
        while store.index().has(&earlier) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        never = store.follow() => match never {},
        () = scenario => {}
    }
    // Another process finds them in the order in which they came.
    let (first, second) = (put(&directory, 30, "a", "b"), put(&directory, 20, "a", "b"));
    // The clock of files ticks every few milliseconds, and both may have come in one of them.
    let file = directory.path().join(format!("alerts/{second}.json"));
    let file = fs::File::options().write(true).open(file).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(1))
        .unwrap();
    let again = opened(&directory);
    let index = again.index();
    assert_eq!(
        index.after(&first).unwrap() + 1,
        index.after(&second).unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_comes_later_is_found() {
    let (directory, store) = store();
    fs::remove_dir(directory.path().join("alerts")).unwrap();
    assert_eq!(listed(&store, ""), (vec![], None));
    let comes = async {
        tokio::time::sleep(AGAIN * 2).await;
        fs::create_dir(directory.path().join("alerts")).unwrap();
        let id = put(&directory, 1, "door", "a");
        let mut number = 0;
        assert_eq!(next(&store, &mut number).await, Arrival::Alert(id));
    };
    tokio::select! {
        never = store.follow() => match never {},
        () = comes => {}
    }
}
