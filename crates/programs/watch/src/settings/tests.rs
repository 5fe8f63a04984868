//! The settings of files that are written here, and of the example.

use super::*;
use std::fs;

/// What the file of this text says of the camera `door`.
fn door(text: &str) -> Result<(Settings, CameraSettings), String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eyelid.toml");
    fs::write(&path, text).unwrap();
    let place = Place {
        slots: Some("/s".into()),
        config: Some(path.clone()),
    };
    let all = || {
        let file = Config::load(Some(&path))?;
        let settings = Settings::new(&place, &WatchOptions::default(), &file)?;
        let name = "door".parse()?;
        let camera = CameraSettings::new(&place, &file, &name, &settings)?;
        anyhow::Ok((settings, camera))
    };
    all().map_err(|error| error.to_string())
}

#[test]
fn a_camera_that_nothing_is_said_of_is_watched_for_motion() {
    let (settings, camera) = door("").unwrap();
    assert_eq!(camera.rules.len(), 1);
    assert_eq!(camera.rules[0].name, "motion");
    assert!(matches!(camera.rules[0].judge, JudgeSettings::Motion));
    assert_eq!(camera.slot.as_deref(), Some(Path::new("/s/door")));
    assert_eq!((camera.fps, settings.keeping.count), (2.0, 1000));
}

#[test]
fn a_camera_that_pushes_has_its_rules_elsewhere() {
    let text = "[receive.cameras.door]\nslot = \"/x\"\n\
                [receive.cameras.door.watch.rules.jam]\nstill = \"5min\"\n";
    let (_, camera) = door(text).unwrap();
    let five_minutes = Duration::from_secs(300);
    assert!(matches!(camera.rules[0].judge, JudgeSettings::Still(still) if still == five_minutes));
    assert_eq!(camera.slot.as_deref(), Some(Path::new("/x")));
    let error = door(&text.replace("still", "left = true\nstill")).unwrap_err();
    assert!(
        error.contains("line 5, key \"receive.cameras.door.watch.rules.jam.still\": "),
        "{error}"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let rule = "[cameras.door.watch.rules.guest]\n";
    for (text, line, words) in [
        ("", 1, "one judge: motion = true, left = true, still"),
        ("motion = false\n", 2, "leave the rule out"),
        (
            "motion = true\nsees = [\"person\"]\n",
            3,
            "two judges, motion and sees",
        ),
        ("obico = \"http://h\"\n", 2, "picture = \"http://"),
        (
            "motion = true\npicture = \"http://h\"\n",
            3,
            "only with obico",
        ),
        (
            "sees = [\"person\"]\nnotify = [\"phone\"]\n",
            3,
            "[watch.notify.phone]",
        ),
        (
            "says = \"somebody enters the room\"\n",
            2,
            "`sees = [\"person\"]` tells",
        ),
        ("motion = true\nconfidence = 0.5\n", 3, "is never unsure"),
        (
            "still = \"5min\"\nevery = \"1min\"\n",
            3,
            "is judged with every picture",
        ),
    ] {
        let error = door(&format!("{rule}{text}")).unwrap_err();
        let place = format!("line {line}, key \"cameras.door.watch.rules.guest.");
        assert!(error.contains(&place) && error.contains(words), "{error}");
    }
    for (name, words) in [("blind", "is the program's own"), ("\"a b\"", "1 to 64")] {
        let text = format!("[cameras.door.watch.rules.{name}]\nmotion = true\n");
        let error = door(&text).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    for (text, words) in [
        (
            "[watch.model]\nmodel = \"m\"\n",
            "key \"watch.model.url\": missing",
        ),
        (
            "[watch.model]\nurl = \"http://h\"\n",
            "key \"watch.model.model\": missing",
        ),
        ("[watch.notify.a]\n", "key \"watch.notify.a.ntfy\": one way"),
        (
            "[watch.notify.a]\nntfy = \"http://h/t\"\ncommand = \"x\"\n",
            "two ways",
        ),
        (
            "[watch.notify.a]\ncommand = \"x\"\ntopic = \"t\"\n",
            "only with mqtt",
        ),
        ("[watch.notify.a]\nmqtt = \"h:1883\"\n", "mqtt://HOST:PORT"),
        (
            "[watch.notify.a]\nntfy = \"http://h/t\"\npriority = 6\n",
            "1 to 5",
        ),
        (
            "[watch.notify.a]\ncommand = \"x\"\nkey-file = \"/k\"\n",
            "a command reads its keys itself",
        ),
    ] {
        let error = door(text).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    let many: String = (0..33)
        .map(|n| format!("[cameras.door.watch.rules.r{n}]\nmotion = true\n"))
        .collect();
    assert!(door(&many).unwrap_err().contains("32 rules at most"));
}

#[test]
fn no_key_goes_over_a_wire_in_the_clear() {
    let rule = "[cameras.door.watch.rules.jam]\npicture = \"http://h/snapshot\"\n";
    for (text, key, is_taken) in [
        (
            "[watch.notify.a]\nntfy = \"http://192.0.2.1/t\"\n",
            "notify.a",
            false,
        ),
        ("[watch.notify.a]\nntfy = \"https://ntfy.sh/t\"\n", "", true),
        (
            "[watch.notify.a]\nwebhook = \"http://home.local/x\"\n",
            "notify.a",
            false,
        ),
        (
            "[watch.notify.a]\nwebhook = \"http://127.0.0.1/x\"\n",
            "",
            true,
        ),
        (
            "[watch.notify.a]\nmqtt = \"mqtt://192.0.2.1:1883\"\n",
            "notify.a",
            false,
        ),
        (
            "[watch.notify.a]\nmqtt = \"mqtt://broker\"\n",
            "notify.a",
            false,
        ),
        ("[watch.notify.a]\nmqtt = \"mqtt://localhost\"\n", "", true),
        ("[watch.notify.a]\nmqtt = \"mqtt://[::1]:1883\"\n", "", true),
        (
            "[watch.model]\nmodel = \"m\"\nurl = \"http://192.0.2.1/v1\"\n",
            "model",
            false,
        ),
        (
            "[watch.model]\nmodel = \"m\"\nurl = \"http://[::1]/v1\"\n",
            "",
            true,
        ),
        (
            format!("{rule}obico = \"http://192.0.2.1:3333\"\n").as_str(),
            "rules.jam",
            false,
        ),
        (
            format!("{rule}obico = \"http://127.0.0.1:3333\"\n").as_str(),
            "",
            true,
        ),
    ] {
        let with_key = format!("{text}key-file = \"/etc/eyelid/key\"\n");
        assert!(door(text).is_ok(), "{text}");
        match door(&with_key) {
            Ok(_) => assert!(is_taken, "{text}"),
            Err(error) => {
                let named = error.contains(&format!("watch.{key}.key-file\": "));
                assert!(
                    !is_taken && named && error.contains("in the clear"),
                    "{error}"
                );
            }
        }
    }
    let broker = "[watch.notify.a]\nmqtt = \"mqtt://broker\"\nkey-file = \"/k\"\n";
    for (said, is_taken) in [("true", true), ("false", false)] {
        let text = format!("{broker}password-in-the-clear = {said}\n");
        assert_eq!(door(&text).is_ok(), is_taken, "{said}");
    }
    let ntfy = "[watch.notify.a]\nntfy = \"http://h/t\"\npassword-in-the-clear = true\n";
    assert!(door(ntfy).unwrap_err().contains("only with mqtt"));
}

#[test]
fn every_example_is_one() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.."));
    let path = root.join("docs/eyelid.toml");
    let place = Place {
        slots: None,
        config: Some(path.clone()),
    };
    let file = Config::load(Some(&path)).unwrap();
    let settings = Settings::new(&place, &WatchOptions::default(), &file).unwrap();
    let cameras = CameraSettings::all(&place, &file, &settings).unwrap();
    assert_eq!(
        cameras.len(),
        file.cameras.len() + file.pushed_cameras.len()
    );
    assert_eq!(settings.notify.len(), 4);
    let rules = cameras.iter().map(|camera| camera.rules.len()).max();
    assert_eq!(rules, Some(6));
}
