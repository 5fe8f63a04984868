//! When renditions are made, and full pictures taken.

use super::*;

/// Wishes for renditions as [`World::open`] does for the frame.
fn wish(world: &mut World, renditions: &[Rendition]) {
    world.slot.renditions = renditions.iter().copied().collect();
    world.slot.noticed = true;
    world.slot.active = true;
}

#[test]
fn a_rendition_is_made_when_it_is_wished_for_once_of_each_exposure() {
    let (half, low) = (Rendition::Half, Rendition::Low);
    let set = |renditions: &[Rendition]| renditions.iter().copied().collect();
    let mut world = World::awake();
    world.capture(2);
    assert_eq!(world.at(10), None, "nobody wants it");
    wish(&mut world, &[half, low]);
    assert_eq!(world.at(20), Some(Action::Render(2, set(&[half, low]))));
    world.machine.rendered(world.start + ms(20), 2, half);
    assert_eq!(world.at(21), Some(Action::Render(2, set(&[low]))));
    world.machine.rendered(world.start + ms(21), 2, low);
    assert_eq!(world.at(22), None, "both were made of this exposure");
    assert_eq!(world.deadline(), None, "the source says when there is more");
    world.open();
    assert_eq!(world.at(23), Some(Action::Publish(2)), "the frame was not");
    world.published(23, 2);
    world.capture(3);
    wish(&mut world, &[half]);
    assert_eq!(world.at(30), Some(Action::Render(3, set(&[half]))));
    world.machine.rendition_lost(half);
    world.machine.rendered(world.start + ms(30), 3, half);
    world.machine.rendition_lost(half);
    assert_eq!(world.at(31), Some(Action::Render(3, set(&[half]))));
    world.machine.unusable(3);
    assert_eq!(world.at(32), None);
}

#[test]
fn the_frame_comes_before_its_renditions() {
    let mut world = World::awake();
    world.capture(2);
    world.open();
    wish(&mut world, &[Rendition::Quarter]);
    assert_eq!(world.at(10), Some(Action::Publish(2)));
    world.published(10, 2);
    wish(&mut world, &[Rendition::Quarter]);
    assert!(matches!(world.at(10), Some(Action::Render(2, _))));
}

#[test]
fn a_rendition_keeps_the_rate_apart_from_the_frame() {
    let mut world = World::new(ms(100));
    world.slot.wished = true;
    assert_eq!(world.at(0), Some(Action::Start));
    world.capture(1);
    assert_eq!(world.at(0), Some(Action::Publish(1)));
    world.published(0, 1);
    wish(&mut world, &[Rendition::Half]);
    assert!(
        matches!(world.at(5), Some(Action::Render(1, _))),
        "of its own"
    );
    world
        .machine
        .rendered(world.start + ms(5), 1, Rendition::Half);
    world.capture(2);
    wish(&mut world, &[Rendition::Half]);
    assert_eq!(world.at(50), None);
    assert_eq!(world.deadline(), Some(100));
    assert!(matches!(world.at(100), Some(Action::Render(2, _))));
}

#[test]
fn who_wishes_for_a_rendition_keeps_the_camera_awake() {
    let mut world = World::new(Duration::ZERO);
    wish(&mut world, &[Rendition::Half]);
    assert_eq!(world.at(0), Some(Action::Start), "and wakes it");
    world.capture(1);
    assert!(matches!(world.at(0), Some(Action::Render(1, _))));
    world.machine.rendered(world.start, 1, Rendition::Half);
    for second in 1..100 {
        wish(&mut world, &[Rendition::Half]);
        assert_eq!(world.at(second * 1000), None);
    }
    world.slot = SlotStatus::default();
    world.machine.published(world.start, 1);
    assert_eq!(world.at(99_000 + 14_999), None);
    assert_eq!(world.at(99_000 + 15_000), Some(Action::Stop));
}

#[test]
fn a_full_picture_has_numbers_of_its_own_and_is_wanted_while_it_is_wished_for() {
    let mut world = World::awake();
    let now = |world: &World, at_ms| world.start + ms(at_ms);
    let wants = |world: &World, at_ms| world.machine.wants_full(now(world, at_ms), world.slot);
    world.capture(2);
    assert!(!wants(&world, 10));
    wish(&mut world, &[Rendition::Full]);
    assert_eq!(world.at(10), None, "it is not made of frames");
    assert!(wants(&world, 10));
    assert_eq!(world.deadline(), None, "the source says when there is one");
    world.source.full = Some(1);
    assert_eq!(world.at(20), Some(Action::PublishFull(1)));
    world.machine.refused(now(&world, 20));
    assert_eq!((world.at(21), world.deadline()), (None, Some(1020)));
    assert!(!wants(&world, 21), "the slot is full");
    assert_eq!(world.at(1020), Some(Action::PublishFull(1)));
    world
        .machine
        .rendered(now(&world, 1020), 1, Rendition::Full);
    assert_eq!(world.at(1021), None, "it was published");
    world.open();
    assert_eq!(
        world.at(1030),
        Some(Action::Publish(2)),
        "the frame was not"
    );
    world.slot = SlotStatus::default();
    assert!(!wants(&world, 1040));
    // It keeps a camera awake as any wish does.
    wish(&mut world, &[Rendition::Full]);
    assert_eq!(world.at(60_000), None);
    world.slot = SlotStatus::default();
    assert_eq!(world.at(60_000), None);
    assert_eq!(world.at(75_000), Some(Action::Stop));
    wish(&mut world, &[Rendition::Full]);
    assert!(!wants(&world, 75_000), "it has to be started first");
    assert_eq!(world.at(75_000), Some(Action::Start));
}
