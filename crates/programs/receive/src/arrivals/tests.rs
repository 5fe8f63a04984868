use super::*;
use Verdict::{Current, Stale};

/// A camera's frames on their way, in milliseconds since it connected.
struct Link {
    start: Instant,
    arrivals: Arrivals,
    flow: Flow,
    now_ms: u64,
}

impl Link {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            start,
            arrivals: Arrivals::default(),
            flow: Flow::new(start),
            now_ms: 0,
        }
    }

    /// Bytes come after so long.
    fn after(&mut self, ms: u64) -> Instant {
        self.now_ms += ms;
        let now = self.start + Duration::from_millis(self.now_ms);
        self.flow.came(now);
        now
    }

    /// A frame begins to come after so long, and its other bytes come after these gaps.
    fn told_frame(&mut self, wait_ms: u64, gaps_ms: &[u64], told_ms: Option<u64>) -> Verdict {
        let began = self.after(wait_ms);
        gaps_ms.iter().for_each(|gap| _ = self.after(*gap));
        self.arrivals.arrived(FrameArrival {
            began,
            whole: self.flow.last(),
            resumed: self.flow.resumed(),
            told_ms: told_ms.map(|told_ms| told_ms as f64),
        })
    }

    fn frame(&mut self, wait_ms: u64, gaps_ms: &[u64]) -> Verdict {
        self.told_frame(wait_ms, gaps_ms, None)
    }

    /// Frames of a quick link, each whole at once, after these gaps.
    fn quick(&mut self, gaps_ms: &[u64]) -> Vec<Verdict> {
        gaps_ms.iter().map(|gap| self.frame(*gap, &[])).collect()
    }

    /// So many frames that take this long each, without a pause.
    fn slow(&mut self, frames: usize, transfer_ms: u64) -> Vec<Verdict> {
        let gaps = [transfer_ms / 4; 4];
        (0..frames).map(|_| self.frame(0, &gaps)).collect()
    }
}

#[test]
fn what_lay_in_buffers_is_thrown_away_and_what_comes_at_the_cameras_pace_is_not() {
    for stall_ms in [5_000, 60_000] {
        let mut link = Link::new();
        assert_eq!(link.quick(&[0, 50, 50, 50, 50, 50]), [Current; 6]);
        assert_eq!(
            link.quick(&[stall_ms, 3, 2, 48, 50]),
            [Stale, Stale, Stale, Current, Current]
        );
        // A link that stutters shorter than that loses nothing.
        assert_eq!(link.quick(&[300, 5, 50, 900, 50, 5, 5]), [Current; 7]);
    }
}

#[test]
fn where_the_link_is_the_bound_the_frame_in_the_cameras_hand_is_thrown_away() {
    for stall_ms in [5_000, 60_000] {
        let mut link = Link::new();
        assert_eq!(link.slow(20, 240), [Current; 20]);
        // Half of it was sent before.
        assert_eq!(link.frame(0, &[60, 60, stall_ms, 120]), Stale);
        assert_eq!(link.slow(3, 240), [Stale, Current, Current]);
        // Only its end was not, which had left the camera, and the next lay in its socket.
        assert_eq!(link.frame(0, &[120, 115, stall_ms]), Stale);
        assert_eq!(link.slow(4, 240), [Stale, Stale, Current, Current]);
        // The stall began between two.
        assert_eq!(link.frame(stall_ms, &[60; 4]), Stale);
        assert_eq!(link.slow(3, 240), [Stale, Current, Current]);
    }
}

#[test]
fn a_slow_link_that_stutters_loses_nothing() {
    let mut link = Link::new();
    link.slow(20, 240);
    assert_eq!(link.frame(0, &[60, 60, 300, 120]), Current);
    for jitter in [180, 320, 200, 700, 240, 120, 300] {
        assert_eq!(link.slow(1, jitter), [Current], "{jitter}");
    }
}

#[test]
fn a_link_that_is_half_used_is_of_now_again_within_half_a_second() {
    for transfer in [4, 12, 17, 25, 30, 40] {
        let mut link = Link::new();
        for _ in 0..30 {
            assert_eq!(link.frame(50 - transfer, &[transfer / 2; 2]), Current);
        }
        assert_eq!(link.frame(50 - transfer, &[5_000, transfer / 2]), Stale);
        // That in the camera's hand, and then the next at its pace.
        assert_eq!(link.frame(0, &[transfer / 2; 2]), Stale, "{transfer}");
        let wait = 60_u64.saturating_sub(transfer * 2);
        link.frame(wait, &[transfer / 2; 2]);
        let later: Vec<_> = (0..8)
            .map(|_| link.frame(50 - transfer, &[transfer / 2; 2]))
            .collect();
        assert_eq!(later, [Current; 8], "{transfer}");
    }
}

#[test]
fn a_link_that_is_down_again_has_old_frames_again() {
    let mut link = Link::new();
    link.slow(20, 240);
    assert_eq!(link.frame(0, &[60, 60, 5_000, 120]), Stale);
    assert_eq!(link.frame(0, &[60, 5_000, 180]), Stale);
    assert_eq!(link.slow(3, 240), [Stale, Current, Current]);
    // One that is so with each frame is seen all the same.
    let each: Vec<_> = (0..20).map(|_| link.frame(0, &[60, 1500, 180])).collect();
    let seen = each.iter().filter(|verdict| **verdict == Current).count();
    assert!(seen > 14, "{each:?}");
}

#[test]
fn a_link_that_has_become_quicker_is_shown_after_a_second() {
    let mut link = Link::new();
    link.slow(20, 1000);
    assert_eq!(link.frame(0, &[500, 6_000, 20]), Stale);
    let later: Vec<_> = (0..40).map(|_| link.frame(40, &[10])).collect();
    assert!(later[22..].iter().all(|verdict| *verdict == Current));
}

#[test]
fn a_camera_that_sends_faster_after_a_silence_is_shown_all_the_same() {
    let mut link = Link::new();
    link.quick(&[0, 400, 400, 400]);
    assert_eq!(link.quick(&[2000]), [Stale]);
    assert_eq!(link.quick(&[100; 9]), [Stale; 9]);
    assert_eq!(link.quick(&[100; 9]), [Current; 9]);
}

#[test]
fn a_camera_that_sends_slower_loses_one_frame_and_no_more() {
    let mut link = Link::new();
    link.quick(&[0, 50, 50, 50]);
    assert_eq!(
        link.quick(&[1500; 5]),
        [Stale, Current, Current, Current, Current]
    );
}

#[test]
fn as_many_as_lay_in_our_own_socket_are_thrown_away() {
    let mut link = Link::new();
    link.quick(&[0, 50, 50, 50, 5000]);
    assert_eq!(link.quick(&[1; 60]), [Stale; 60]);
    assert_eq!(link.quick(&[45]), [Current]);
    let mut link = Link::new();
    link.slow(20, 240);
    assert_eq!(link.quick(&[5000, 1, 1, 1]), [Stale; 4]);
    assert_eq!(link.slow(3, 240), [Stale, Stale, Current]);
}

#[test]
fn a_slow_camera_has_no_silence_at_its_own_pace() {
    let mut link = Link::new();
    let gaps = [0, 10_000, 10_000, 30_000, 10_000];
    assert_eq!(link.quick(&gaps), [Current; 5]);
}

#[test]
fn a_camera_of_one_frame_a_second_loses_one_by_a_stall_and_none_without() {
    let mut link = Link::new();
    for _ in 0..20 {
        assert_eq!(link.frame(950, &[25, 25]), Current);
    }
    assert_eq!(link.frame(2_000, &[25, 25]), Current);
    assert_eq!(link.frame(5_000, &[25, 25]), Stale);
    assert_eq!(link.frame(950, &[25, 25]), Current);
    // It sends when something moves.
    let mut link = Link::new();
    assert_eq!(link.frame(0, &[25]), Current);
    assert_eq!(link.frame(600_000, &[25]), Current);
}

#[test]
fn a_silence_that_was_asked_for_is_none() {
    let mut link = Link::new();
    link.quick(&[0, 50, 50]);
    link.arrivals.expect_silence();
    assert_eq!(link.quick(&[60_000, 5, 50]), [Current; 3]);
}

#[test]
fn a_camera_that_tells_is_believed() {
    let mut link = Link::new();
    let mut taken = 1_000;
    for _ in 0..20 {
        assert_eq!(link.told_frame(0, &[120; 2], Some(taken)), Current);
        taken += 240;
    }
    // Two were taken before the stall, and another while it lasted.
    for (gaps, taken, verdict) in [
        ([5_000, 120], taken, Stale),
        ([120, 120], taken + 240, Stale),
        ([120, 120], taken + 3_000, Stale),
        ([120, 120], taken + 5_600, Current),
        ([120, 120], taken + 5_840, Current),
    ] {
        assert_eq!(link.told_frame(0, &gaps, Some(taken)), verdict, "{taken}");
    }
    // It made a pause by itself.
    assert_eq!(link.told_frame(9_000, &[], Some(taken + 15_000)), Current);
    // One that was set back tells nothing.
    assert_eq!(link.told_frame(9_000, &[], Some(0)), Stale);
    // A way that is longer for good is not waited for.
    let mut link = Link::new();
    (0..10).for_each(|n| _ = link.told_frame(50, &[], Some(n * 50)));
    assert_eq!(link.told_frame(5_500, &[], Some(5_500)), Stale);
    let later: Vec<_> = (1..60)
        .map(|n| link.told_frame(50, &[], Some(5_500 + n * 50)))
        .collect();
    assert_eq!(later[20..], [Current; 39]);
}
