use proptest::prelude::*;

use super::*;
use crate::wire::{Head, NoFrame, Part, Reason, Reply, Request};

fn id() -> RequestId {
    RequestId {
        asker: Asker(0x0102_0304_0506_0708),
        subject: SubjectTag(0x1112_1314_1516_1718),
        number: 9,
    }
}

const FRAME: FrameId = FrameId {
    instance: 0x2122_2324_2526_2728,
    sequence: 7,
};

fn request() -> Request {
    Request {
        id: id(),
        have: Some(FRAME),
        is_alone: true,
        hold_ms: 1000,
        max_bytes: 1 << 20,
    }
}

fn head() -> Head {
    Head {
        id: id(),
        frame: FRAME,
        held_us: 5,
        age_us: 17_000,
        width_px: 640,
        height_px: 480,
        bytes: 3,
    }
}

#[test]
fn a_request_byte_by_byte() {
    let bytes = [
        &[1, 0x81, 3, 0xE8, 0, 0x10, 0, 0][..],
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &[0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18],
        &[0, 0, 0, 0, 0, 0, 0, 9],
        &[0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28],
        &[0, 0, 0, 0, 0, 0, 0, 7],
    ]
    .concat();
    assert_eq!(request().to_bytes(), bytes);
    assert_eq!(bytes.len(), Request::BYTES);
    assert_eq!(Request::parse(&bytes), Ok(request()));
}

#[test]
fn replies_have_the_lengths_that_are_said() {
    let first = Reply::Head(head(), b"abc").to_bytes();
    assert_eq!(first.len(), Head::BYTES + 3);
    assert_eq!(Reply::parse(&first), Ok(Reply::Head(head(), b"abc")));
    let part = Part {
        id: id(),
        frame: FRAME,
        offset_bytes: 1,
    };
    let next = part.message(b"bc");
    assert_eq!(next.len(), Part::BYTES + 2);
    assert_eq!(Reply::parse(&next), Ok(Reply::Part(part, b"bc")));
    let none = NoFrame {
        id: id(),
        reason: Reason::TooLarge(9),
        instance: 3,
        held_us: 1,
    };
    assert_eq!(none.to_bytes().len(), 44);
    assert_eq!(Reply::parse(&none.to_bytes()), Ok(Reply::NoFrame(none)));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let with = |at: usize, byte: u8| {
        let mut bytes = request().to_bytes();
        bytes[at] = byte;
        Request::parse(&bytes)
    };
    assert_eq!(with(0, 2), Err(FormatError::Version(2)));
    assert_eq!(with(1, 2), Err(FormatError::Kind(2)));
    assert_eq!(with(2, 0xFF), Err(FormatError::Hold(0xFFE8)));
    assert_eq!(with(47, 0), Err(FormatError::Frame));
    let too_long = [request().to_bytes(), vec![0]].concat();
    assert_eq!(Request::parse(&too_long), Err(FormatError::Long));

    let changed = |change: fn(&mut Head)| {
        let mut head = head();
        change(&mut head);
        Reply::parse(&head.message(b"abc")).map(|_| ())
    };
    assert_eq!(changed(|_| ()), Ok(()));
    assert_eq!(changed(|head| head.bytes = 2), Err(FormatError::Payload));
    assert_eq!(changed(|head| head.bytes = 0), Err(FormatError::Bytes(0)));
    let huge = (MAX_FRAME_BYTES + 1) as u32;
    let refused = changed(|head| head.bytes = (MAX_FRAME_BYTES + 1) as u32);
    assert_eq!(refused, Err(FormatError::Bytes(huge)));
    let size = changed(|head| head.height_px = 65_536);
    assert!(matches!(
        size,
        Err(FormatError::Size {
            height_px: 65_536,
            ..
        })
    ));
    assert_eq!(
        changed(|head| head.frame.sequence = 0),
        Err(FormatError::Frame)
    );
    let bytes = request().to_bytes();
    let none = Reply::parse(&bytes);
    assert_eq!(none, Err(FormatError::Kind(0x81)));
}

#[test]
fn a_reply_that_ends_early_is_none() {
    let first = head().message(b"");
    let whole = [&first[..], &request().to_bytes()].concat();
    for end in 0..first.len() {
        assert_eq!(
            Reply::parse(&whole[..end]),
            Err(FormatError::Short),
            "{end}"
        );
    }
    for end in 0..Request::BYTES {
        let bytes = &request().to_bytes()[..end];
        assert_eq!(Request::parse(bytes), Err(FormatError::Short), "{end}");
    }
}

#[test]
fn each_subject_has_a_tag_of_its_own() {
    let tag = |text: &str| SubjectTag::of(&text.parse().unwrap());
    let names = [
        "eyelid.v1.pi.a",
        "eyelid.v1.pi.b",
        "eyelid.v1.pi.a.low",
        "eyelid.v1.pi.a.state",
        "eyelid.v1.pi",
        "eyelid.v1.pu.a",
    ];
    for (index, one) in names.iter().enumerate() {
        for other in &names[..index] {
            assert_ne!(tag(one), tag(other), "{one} {other}");
        }
    }
}

proptest! {
    #[test]
    fn requests_are_read_as_they_were_written(
        numbers in any::<[u64; 4]>(),
        sequence in 1_u64..,
        has in any::<bool>(),
        is_alone in any::<bool>(),
        hold_ms in 0_u16..=10_000,
        max_bytes in any::<u32>(),
    ) {
        let [asker, camera, number, instance] = numbers;
        let request = Request {
            id: RequestId { asker: Asker(asker), subject: SubjectTag(camera), number },
            have: has.then_some(FrameId { instance, sequence }),
            is_alone,
            hold_ms,
            max_bytes,
        };
        prop_assert_eq!(Request::parse(&request.to_bytes()), Ok(request));
    }

    #[test]
    fn reasons_are_read_as_they_were_written(
        reason in any::<u8>(),
        bytes in any::<u32>(),
        held_us in any::<u32>(),
    ) {
        let none = NoFrame { id: id(), reason: Reason::Held, instance: 1, held_us };
        let mut message = none.to_bytes();
        message[2] = reason;
        if reason == 3 {
            message[40..].copy_from_slice(&bytes.to_be_bytes());
        }
        let reply = Reply::parse(&message).unwrap();
        prop_assert_eq!(reply.to_bytes(), message);
    }

    #[test]
    fn whatever_is_read_is_written_so(
        kind in 0_u8..8,
        mut bytes in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        if let [version, found, ..] = &mut bytes[..] {
            (*version, *found) = (1, kind);
        }
        crate::fuzzing::relay_wire(&bytes);
    }
}
