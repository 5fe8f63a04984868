//! What must hold of the file of the rules' state, whoever wrote it.

use std::time::{Duration, UNIX_EPOCH};

use super::{Answer, CameraRules, Raise, Saved, Terms};
use crate::alert::Kind;
use crate::moment::{Moment, Monotonic};

/// See [`crate::fuzzing::watched`].
pub(crate) fn state(bytes: &[u8]) {
    let Ok(saved) = Saved::parse(bytes) else {
        return;
    };
    let json = saved.to_json();
    let again = Saved::parse(&json).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again.to_json(), json);
    let mut now = Moment {
        monotonic: Monotonic::from_millis(100_000),
        wall: UNIX_EPOCH + Duration::from_secs(1_790_000_000),
    };
    let terms = |judge, asked: &Option<String>| Terms {
        asked: asked.clone(),
        ..Terms::of(judge)
    };
    let of = |(name, rule): (&String, &super::saved::SavedRule)| {
        (name.clone(), terms(rule.judge, &rule.asked))
    };
    let rules: Vec<_> = saved.rules.iter().map(of).collect();
    let names: Vec<String> = rules.iter().map(|(name, _)| name.clone()).collect();
    for boot in [saved.saved.boot.clone(), "another".to_owned()] {
        let mut camera = CameraRules::new(rules.clone(), Some(saved.clone()), &boot, now);
        let written = camera.save("door", &boot, now).to_json();
        assert!(Saved::parse(&written).is_ok());
        let ticked = camera.tick(now);
        assert!(
            ticked.iter().all(|raised| raised.kind != Kind::Seen),
            "nothing was seen"
        );
        for name in &names {
            assert_eq!(camera.look(name, &Answer::No, now), None);
            let seen = sees_for_a_minute(&mut camera, name, now);
            assert!(seen.len() <= 1, "{name}: {seen:?}");
        }
        // However it began, a day later it is as any other.
        now = now.plus(Duration::from_secs(2 * 24 * 3600));
        camera.tick(now);
        for name in &names {
            camera.look(name, &Answer::No, now);
            camera.look(name, &Answer::No, now);
            let later = now.plus(Duration::from_secs(3600));
            assert_eq!(
                sees_for_a_minute(&mut camera, name, later).len(),
                1,
                "{name}"
            );
        }
        now = now.plus(Duration::from_secs(24 * 3600));
    }
}

/// Says yes once a second; gives what is told as seen.
fn sees_for_a_minute(camera: &mut CameraRules, name: &str, from: Moment) -> Vec<Raise> {
    let yes = Answer::Yes {
        sightings: Vec::new(),
        confidence: None,
    };
    let looks = (1..60)
        .filter_map(|second| camera.look(name, &yes, from.plus(Duration::from_secs(second))));
    looks.filter(|raised| raised.kind == Kind::Seen).collect()
}
