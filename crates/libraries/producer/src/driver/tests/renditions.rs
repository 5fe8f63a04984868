//! What becomes of renditions that are wished for.

use super::*;

impl World {
    /// The source has its full picture of this number, and no frame.
    fn capture_full(&mut self, number: u64) {
        self.driver.source.status.sequence = None;
        self.driver.source.status.full = Some(number);
    }

    /// Begins with a camera that has full pictures and has published its first frame.
    fn with_full_pictures() -> Self {
        let mut world = Self::new();
        world.driver.source.full.size = Some((32, 32));
        world.capture(1);
        world.act(Duration::ZERO);
        world
    }

    fn full(&self) -> Reader {
        Reader::of(&self.slot, Some(Rendition::Full))
    }

    /// Wishes for a rendition, and gives its file once the driver has done what there is to do.
    fn look(&mut self, rendition: Rendition) -> Held {
        let reader = Reader::of(&self.slot, Some(rendition));
        reader.wish().unwrap();
        self.act(SECOND);
        reader.read().unwrap()
    }
}

#[test]
fn what_the_source_offers_lies_there_and_what_an_earlier_one_did_does_not() {
    let mut world = World::new();
    fs::write(world.slot.join(Rendition::Quarter.file()), "earlier").unwrap();
    fs::write(world.slot.join(Rendition::Half.file()), "earlier").unwrap();
    world.act(Duration::ZERO);
    let reader = |rendition| Reader::of(&world.slot, Some(rendition));
    for rendition in [Rendition::Low, Rendition::Half] {
        let placeholder = reader(rendition).read().unwrap().frame;
        assert_eq!(placeholder.captured, UNIX_EPOCH);
        assert!(eyelid_jpeg::whole(&placeholder.jpeg).is_ok());
    }
    assert!(reader(Rendition::Quarter).newest().is_none());
    let half = world.told().renditions["half"].clone();
    assert_eq!((half.width, half.height), (None, None));
    world.capture(1);
    world.act(Duration::ZERO);
    let told = world.told().renditions;
    let names: Vec<_> = told.keys().map(String::as_str).collect();
    assert_eq!(names, ["half", "low"]);
    assert_eq!(
        (told["half"].width, told["low"].height),
        (Some(8), Some(16))
    );
}

#[test]
fn a_rendition_is_made_of_the_same_exposure_as_the_frame() {
    let mut world = World::new();
    world.capture(1);
    world.act(Duration::ZERO);
    let half = world.look(Rendition::Half).frame;
    let (header, _) = eyelid_jpeg::whole(&half.jpeg).unwrap();
    assert_eq!((header.width, header.height), (8, 8));
    let frame = Reader::new(&world.slot).read().unwrap().frame;
    assert_eq!((half.captured, frame.captured), (moment(1), moment(1)));
    world.capture(2);
    assert_eq!(world.look(Rendition::Half).frame.captured, moment(2));
    let encoded = world.driver.source.encoded;
    world.capture(3);
    world.act(SECOND);
    let (half, low) = [Rendition::Half, Rendition::Low]
        .map(|rendition| Reader::of(&world.slot, Some(rendition)).captured())
        .into();
    assert_eq!(half, Some(moment(3)), "the last look closed it");
    assert_eq!(low, Some(UNIX_EPOCH), "nobody asked");
    assert_eq!(world.driver.source.encoded, encoded + 1);
}

#[test]
fn planes_are_not_encoded_for_who_wants_planes() {
    let mut world = World::new();
    world.driver.source.planes = Some(vec![90; 16 * 16]);
    world.capture(1);
    world.act(Duration::ZERO);
    let encoded = world.driver.source.encoded;
    let y4m = world.look(Rendition::Y4m).frame;
    assert_eq!(y4m.captured, moment(1));
    assert!(y4m.jpeg.starts_with(b"YUV4MPEG2 W16 H16 "));
    world.look(Rendition::Half);
    assert_eq!(world.driver.source.encoded, encoded);
}

#[test]
fn an_exposure_is_had_once_for_all_that_is_made_of_it() {
    for planes in [None, Some(vec![90; 16 * 16])] {
        let mut world = World::new();
        world.driver.source.planes = planes;
        world.capture(1);
        world.act(Duration::ZERO);
        let before = &world.driver.source;
        let (encoded, asked) = (before.encoded, before.asked_for_planes);
        let offered = before.offers();
        let readers = offered
            .iter()
            .map(|rendition| Reader::of(&world.slot, Some(rendition)));
        let readers: Vec<_> = readers.collect();
        readers.iter().for_each(|reader| reader.wish().unwrap());
        world.act(SECOND);
        for reader in &readers {
            assert_eq!(reader.captured(), Some(moment(1)));
        }
        assert_eq!(readers.len(), 2);
        let source = &world.driver.source;
        assert_eq!(source.asked_for_planes, asked + 1);
        let by_jpeg = u32::from(source.planes.is_none());
        assert_eq!(source.encoded, encoded + by_jpeg);
    }
}

#[test]
fn a_rendition_that_the_slot_refuses_keeps_no_other_from_being_made() {
    let mut world = World::new();
    world.capture(1);
    world.act(Duration::ZERO);
    let readers = [Rendition::Low, Rendition::Half];
    let [low, half] = readers.map(|rendition| Reader::of(&world.slot, Some(rendition)));
    low.wish().unwrap();
    half.wish().unwrap();
    world.driver.publisher.take_in(world.start).unwrap();
    // Nothing can be written in its place, and that it was wished for is known.
    let in_the_way = world.slot.join(".current.low.jpg.tmp");
    fs::create_dir(&in_the_way).unwrap();
    world.act(SECOND);
    assert_eq!(low.captured(), Some(UNIX_EPOCH));
    assert_eq!(half.captured(), Some(moment(1)));
    fs::remove_dir(&in_the_way).unwrap();
    world.act(2 * SECOND);
    assert_eq!(low.captured(), Some(moment(1)));
}

#[test]
fn a_rendition_that_cannot_be_made_is_tried_once_and_harms_no_frame() {
    let mut world = World::new();
    world.driver.source.jpeg = b"\xFF\xD8\xFF\xD9".to_vec();
    world.capture(1);
    world.act(Duration::ZERO);
    let encoded = world.driver.source.encoded;
    for _ in 0..5 {
        assert_eq!(world.look(Rendition::Half).frame.captured, UNIX_EPOCH);
    }
    assert_eq!(world.driver.source.encoded, encoded + 1);
    assert_eq!(world.told().state, Phase::Awake);
}

#[test]
fn a_rendition_that_was_taken_away_is_offered_again() {
    let mut world = World::new();
    world.capture(1);
    world.act(Duration::ZERO);
    world.look(Rendition::Half);
    fs::remove_file(world.slot.join(Rendition::Half.file())).unwrap();
    world.act(SECOND);
    let offered = Reader::of(&world.slot, Some(Rendition::Half)).captured();
    assert_eq!(offered, Some(UNIX_EPOCH));
    assert_eq!(world.look(Rendition::Half).frame.captured, moment(1));
}

#[test]
fn a_full_picture_is_offered_with_its_size_and_not_taken_for_nobody() {
    let mut world = World::with_full_pictures();
    let told = world.told().renditions["full"].clone();
    assert_eq!((told.width, told.height), (Some(32), Some(32)));
    assert_eq!(world.full().captured(), Some(UNIX_EPOCH));
    world.look(Rendition::Half);
    world.capture_full(1);
    world.act(SECOND);
    assert_eq!(world.full().captured(), Some(UNIX_EPOCH));
    let full = &world.driver.source.full;
    assert_eq!((full.wishes, full.encoded), (0, 0));
    world.driver.source.full.size = None;
    world.act(SECOND);
    assert_eq!(world.full().captured(), None);
    assert!(!world.told().renditions.contains_key("full"));
}

#[test]
fn a_full_picture_comes_after_the_frame_and_when_the_source_has_it() {
    let mut world = World::with_full_pictures();
    world.full().wish().unwrap();
    Reader::new(&world.slot).wish().unwrap();
    world.capture(2);
    let encoded = world.driver.source.encoded;
    world.act(SECOND);
    assert_eq!(world.driver.source.full.wishes, 1);
    assert_eq!(world.driver.source.full.encoded_before, encoded + 1);
    assert_eq!(world.full().captured(), Some(UNIX_EPOCH));
    world.act(SECOND);
    assert_eq!(
        world.driver.source.full.wishes, 2,
        "it may have been too early"
    );
    // While it is taken, there is no frame for who wishes for one.
    Reader::new(&world.slot).wish().unwrap();
    world.capture_full(1);
    world.act(SECOND);
    assert_eq!(world.full().captured(), Some(moment(1001)));
    assert_eq!(Reader::new(&world.slot).captured(), Some(moment(2)));
    let wishes = world.driver.source.full.wishes;
    world.driver.source.status.full = None;
    world.capture(3);
    world.act(SECOND);
    assert_eq!(Reader::new(&world.slot).captured(), Some(moment(3)));
    assert_eq!(world.driver.source.full.wishes, wishes, "it was answered");
    let told = world.told();
    assert_eq!((told.width, told.waiting), (Some(16), None));
}

#[test]
fn a_full_picture_that_is_broken_is_encoded_once_and_the_wish_stands() {
    let mut world = World::with_full_pictures();
    world.driver.source.full.is_broken = true;
    world.full().wish().unwrap();
    world.capture_full(1);
    world.act(SECOND);
    world.act(SECOND);
    assert_eq!(world.driver.source.full.encoded, 1);
    assert_eq!(world.driver.source.full.wishes, 2);
    world.driver.source.full.is_broken = false;
    world.capture_full(2);
    world.act(SECOND);
    assert_eq!(world.full().captured(), Some(moment(1002)));
    assert_eq!(world.told().state, Phase::Awake);
}
