//! What is seen in pictures that are computed here; real ones are in tests/watch.

use super::*;
use crate::ChangeKind;

const WIDTH: usize = 96;
const HEIGHT: usize = 72;

/// A view with textures, in some light, with a sensor's noise that is the same for a seed.
struct View {
    seed: u32,
    gain: f32,
    /// How much stronger the noise is than that of a good sensor.
    grain: f32,
    samples: Vec<u8>,
}

impl View {
    fn new() -> Self {
        Self {
            seed: 1,
            gain: 1.0,
            grain: 1.0,
            samples: Vec::new(),
        }
    }

    /// About normal: the sum of four uniform ones.
    fn noise(&mut self) -> f32 {
        let mut sum = 0.0;
        for _ in 0..4 {
            self.seed = self
                .seed
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            sum += (self.seed >> 8) as f32 / (1 << 24) as f32 - 0.5;
        }
        sum * 1.2 * self.grain
    }

    /// The view with a striped thing of 4 by 9 cells at a column.
    fn draw(&mut self, thing: Option<usize>) -> Luma<'_> {
        self.samples.clear();
        for cell in 0..WIDTH * HEIGHT {
            let (column, row) = (cell % WIDTH, cell / WIDTH);
            let mut value = 90.0 + 40.0 * ((column / 7 + row / 5) % 3) as f32;
            if let Some(left) = thing
                && (left..left + 4).contains(&column)
                && (30..39).contains(&row)
            {
                value = if row % 4 < 2 { 30.0 } else { 70.0 };
            }
            let value = value * self.gain + self.noise();
            self.samples.push(value.clamp(0.0, 255.0) as u8);
        }
        Luma {
            width: WIDTH,
            height: HEIGHT,
            samples: &self.samples,
        }
    }
}

fn at(number: u64) -> Duration {
    Duration::from_millis(100 * number)
}

#[test]
fn finds_what_crosses_the_view_and_nothing_before_and_after() {
    let (mut view, mut motion) = (View::new(), Motion::new(Zones::default()));
    let mut found = Vec::new();
    for number in 0..150 {
        let thing = (60..120).contains(&number).then(|| number as usize - 40);
        let look = motion.look(&view.draw(thing), at(number));
        if let [region] = look.moving[..] {
            let column = region.left * WIDTH as f32;
            assert!(
                (column - (number as f32 - 40.0)).abs() < 1.5,
                "{column} at {number}"
            );
            found.push(number);
        }
    }
    assert!(found.len() >= 57, "{found:?}");
    assert!(
        found.iter().all(|number| (60..121).contains(number)),
        "{found:?}"
    );
}

#[test]
fn who_walks_at_night_is_found_in_the_second_of_two_pictures_a_second() {
    let found_at_once = (1..=20).filter(|seed| {
        let (mut view, mut motion) = (View::new(), Motion::new(Zones::default()));
        (view.seed, view.grain) = (*seed, 4.5);
        let mut found = Vec::new();
        for number in 0..24 {
            view.draw(None);
            if let Some(steps) = (number as usize).checked_sub(20) {
                darken(&mut view, 40 + 2 * steps, 24.0);
            }
            let luma = Luma {
                width: WIDTH,
                height: HEIGHT,
                samples: &view.samples,
            };
            let look = motion.look(&luma, Duration::from_millis(500 * number));
            if !look.moving.is_empty() {
                found.push(number);
            }
        }
        found == [21, 22, 23]
    });
    assert!(found_at_once.count() >= 18);
}

/// Makes a thing of 4 by 11 cells of what is seen, so many levels darker.
fn darken(view: &mut View, left: usize, levels: f32) {
    for row in 30..41 {
        for sample in &mut view.samples[row * WIDTH + left..][..4] {
            *sample = (f32::from(*sample) - levels) as u8;
        }
    }
}

#[test]
fn a_swinging_exposure_is_no_motion() {
    let (mut view, mut motion) = (View::new(), Motion::new(Zones::default()));
    for number in 0..200 {
        view.gain = 1.0 + 0.25 * (number as f32 / 4.0).sin();
        let look = motion.look(&view.draw(None), at(number));
        assert!(look.moving.is_empty(), "{number}");
    }
}

#[test]
fn what_is_masked_does_not_move() {
    let zones = Zones::new(&["0,30 100,30 100,70 0,70"], &[]).unwrap();
    let (mut view, mut motion) = (View::new(), Motion::new(zones));
    for number in 0..120 {
        let thing = (60..120).contains(&number).then(|| number as usize - 40);
        assert!(motion.look(&view.draw(thing), at(number)).moving.is_empty());
    }
}

#[test]
fn another_size_begins_anew() {
    let (mut view, mut motion) = (View::new(), Motion::new(Zones::default()));
    for number in 0..40 {
        motion.look(&view.draw(None), at(number));
    }
    assert!(!motion.look(&view.draw(None), at(40)).is_learning);
    let small = [9; 32 * 24];
    let luma = Luma {
        width: 32,
        height: 24,
        samples: &small,
    };
    let look = motion.look(&luma, at(41));
    assert!(look.is_learning && look.size == (32, 24));
    let broken = Luma { width: 33, ..luma };
    assert!(motion.look(&broken, at(42)).moving.is_empty());
}

/// A thing of `size` cells drawn over a view, darker where `row` is even.
fn paint(view: &mut View, left: usize, top: usize, size: (usize, usize)) {
    for row in top..top + size.1 {
        for column in left..left + size.0 {
            let noise = view.noise();
            let value = if row % 4 < 2 { 35.0 } else { 75.0 };
            view.samples[row * WIDTH + column] = (value + noise) as u8;
        }
    }
}

/// Somebody walks to column 50, puts something down, takes it away again later, and is gone.
fn parcel(number: u64) -> (Option<usize>, bool) {
    let walks = |start: u64| {
        (start..start + 60)
            .contains(&number)
            .then(|| (number - start) as usize + 20)
    };
    let thing = walks(60).or(walks(200));
    (thing, (90..230).contains(&number))
}

#[test]
fn what_was_put_down_is_left_and_what_was_fetched_is_taken() {
    let (mut view, mut motion) = (View::new(), Motion::new(Zones::default()));
    let mut said = Vec::new();
    for number in 0..330 {
        let (thing, is_there) = parcel(number);
        view.draw(thing);
        if is_there {
            paint(&mut view, 54, 40, (4, 4));
        }
        let luma = Luma {
            width: WIDTH,
            height: HEIGHT,
            samples: &view.samples,
        };
        for change in motion.look(&luma, at(number)).changed {
            let column = change.region.left * WIDTH as f32;
            assert!((53.0..56.0).contains(&column), "{change:?} at {number}");
            said.push((change.kind, number));
        }
    }
    let kinds: Vec<_> = said.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [ChangeKind::Left, ChangeKind::Taken], "{said:?}");
    assert!((120..150).contains(&said[0].1), "{said:?}");
    assert!((260..290).contains(&said[1].1), "{said:?}");
}

#[test]
fn what_is_there_suddenly_though_nobody_was_is_not_left() {
    let (mut view, mut motion) = (View::new(), Motion::new(Zones::default()));
    for number in 0..200 {
        view.draw(None);
        if number > 80 {
            paint(&mut view, 54, 40, (4, 4));
        }
        let luma = Luma {
            width: WIDTH,
            height: HEIGHT,
            samples: &view.samples,
        };
        assert!(motion.look(&luma, at(number)).changed.is_empty());
    }
}

#[test]
fn a_head_that_goes_to_and_fro_is_not_still_until_it_stops() {
    let (mut view, mut motion) = (View::new(), Motion::new(Zones::default()));
    let mut last = 0;
    for number in 0..900 {
        let swing = ((number as f32 / 6.0).sin() * 15.0 + 40.0) as usize;
        let left = if number < 700 { swing } else { 40 };
        view.gain = 1.0 + 0.1 * (number as f32 / 30.0).sin();
        let look = motion.look(&view.draw(Some(left)), at(number));
        if !look.stirring.is_empty() || !look.moving.is_empty() {
            last = number;
        }
        if (60..700).contains(&number) {
            assert!(number - last < 5, "{last} at {number}");
        }
    }
    // At 10 pictures a second it has been still for 20 s.
    assert_eq!(last, 700);
}

#[test]
fn what_stirs_is_where_it_was_and_where_it_is() {
    let (mut view, mut motion) = (View::new(), Motion::new(Zones::default()));
    for number in 0..60 {
        // To and fro between two places, for longer than any of both is background.
        let left = if number % 2 == 0 { 40 } else { 56 };
        let look = motion.look(&view.draw(Some(left)), at(number));
        if number < 30 {
            continue;
        }
        let first = look
            .stirring
            .iter()
            .map(|region| region.left)
            .reduce(f32::min);
        let last = look
            .stirring
            .iter()
            .map(|region| region.left + region.width);
        let (first, last) = (first.unwrap(), last.reduce(f32::max).unwrap());
        let cells = |share: f32| (share * WIDTH as f32).round();
        assert!(
            cells(first) >= 38.0 && cells(last) <= 70.0,
            "{first} to {last}"
        );
    }
}

/// A wall of one grey with something of one grey before it: 10 by 20 cells, its left edge at a
/// place in cells; or a band over the whole height, as a shadow is.
fn wall(view: &mut View, left: f32, grey: f32, is_band: bool) -> Luma<'_> {
    view.samples.clear();
    for cell in 0..WIDTH * HEIGHT {
        let (column, row) = ((cell % WIDTH) as f32, cell / WIDTH);
        let share = (column + 1.0 - left).min(left + 10.0 - column);
        let is_beside = !is_band && !(25..45).contains(&row);
        let share = if is_beside { 0.0 } else { share };
        let value = 128.0 + (grey - 128.0) * share.clamp(0.0, 1.0) + view.noise();
        view.samples.push(value as u8);
    }
    Luma {
        width: WIDTH,
        height: HEIGHT,
        samples: &view.samples,
    }
}

#[test]
fn what_is_of_one_grey_is_found_before_a_wall_and_a_band_of_shadow_is_not() {
    for (grey, is_band, least, most) in [
        (230.0, false, 85, 100),
        (40.0, false, 85, 100),
        (64.0, true, 0, 0),
    ] {
        let (mut view, mut motion) = (View::new(), Motion::new(Zones::default()));
        let mut found = 0;
        for number in 0..180 {
            // It comes in from the side, half a cell a picture.
            let left = (number as f32 - 60.0) * 0.5 - 10.0;
            let look = motion.look(&wall(&mut view, left, grey, is_band), at(number));
            found += u32::from(!look.moving.is_empty());
        }
        assert!((least..=most).contains(&found), "{grey}: {found}");
    }
}
