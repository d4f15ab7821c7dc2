//! What the two ends of the evaluator's socket promise each other: everything that one can say
//! the other reads as it was said, and no bytes at all do any harm.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code: a failure stops the test")]

use evaluator::wire::{Body, HEADER, Header, Kind, LARGEST, Malformed, Tag, VERSION, field};
use proptest::prelude::*;

const TAGS: [Tag; 4] = [Tag::Argument, Tag::Variable, Tag::File, Tag::Text];

fn body(fields: &[(Tag, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (tag, value) in fields {
        field(*tag, value, &mut |piece| out.extend_from_slice(piece));
    }
    out
}

fn packet(kind: Kind, body: &[u8]) -> Vec<u8> {
    let header = Header {
        kind,
        length: u32::try_from(body.len()).unwrap(),
        in_memfd: false,
        is_only: false,
    };
    [&header.bytes()[..], body].concat()
}

#[test]
fn malformed_packets_are_refused_for_what_they_are() {
    let good = packet(Kind::Ask, &body(&[(Tag::File, b"/bin/true".to_vec())]));
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let cases = [
        (good[..HEADER - 1].to_vec(), Malformed::NoHeader),
        (with(0, b'X'), Malformed::NoHeader),
        (with(4, 9), Malformed::Version(9)),
        (with(6, 99), Malformed::Kind(99)),
        (with(8, 1), Malformed::Length),
        (with(12, 4), Malformed::Field),
        (with(12, 1), Malformed::Length),
        (good[..good.len() - 1].to_vec(), Malformed::Length),
        ([&good[..], b"x"].concat(), Malformed::Length),
    ];
    for (bytes, expected) in cases {
        assert_eq!(Header::read(&bytes).unwrap_err(), expected, "{bytes:?}");
    }
    let huge =
        Header { kind: Kind::Ask, length: LARGEST as u32 + 1, in_memfd: true, is_only: false };
    assert_eq!(Header::read(&huge.bytes()), Err(Malformed::Length));
    let large = Header { kind: Kind::Ask, length: LARGEST as u32, in_memfd: true, is_only: false };
    assert_eq!(Header::read(&large.bytes()), Ok((large, &[][..])));
    let only = Header { is_only: true, ..large };
    assert_eq!(Header::read(&only.bytes()), Ok((only, &[][..])));
    assert_eq!(VERSION, 1, "a new version needs its own line in docs/wire-format.md");
}

#[test]
fn malformed_fields_are_refused() {
    let file = body(&[(Tag::File, b"/bin/true".to_vec())]);
    let mut padded = file.clone();
    padded[2] = 1;
    for bytes in [&file[..7], &file[..file.len() - 1], &padded, &[&file[..], &file[..]].concat()] {
        assert_eq!(Body::read(bytes), Err(Malformed::Field), "{bytes:?}");
    }
    // A tag of a later version is passed over.
    let mut later = file.clone();
    later[0..2].copy_from_slice(&999u16.to_le_bytes());
    let both = [&later[..], &file[..], &later[..]].concat();
    assert_eq!(Body::read(&both).unwrap().one(Tag::File), Some(&b"/bin/true"[..]));
}

proptest! {
    #[test]
    fn what_is_said_is_read(
        arguments in prop::collection::vec((0..2_usize, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        file in prop::collection::vec(any::<u8>(), 0..300),
        number in any::<u32>(),
    ) {
        let mut fields: Vec<_> =
            arguments.iter().map(|(tag, value)| (TAGS[*tag], value.clone())).collect();
        fields.push((Tag::File, file.clone()));
        fields.push((Tag::Timeout, number.to_le_bytes().to_vec()));
        let body = body(&fields);
        let packet = packet(Kind::Judge, &body);
        let (header, rest) = Header::read(&packet).unwrap();
        prop_assert_eq!((header.kind, rest), (Kind::Judge, &body[..]));
        let read = Body::read(rest).unwrap();
        for (index, tag) in TAGS.into_iter().take(2).enumerate() {
            let said: Vec<&[u8]> = arguments
                .iter()
                .filter(|(which, _)| *which == index)
                .map(|(_, value)| value.as_slice())
                .collect();
            prop_assert_eq!(read.all(tag).collect::<Vec<_>>(), said);
        }
        prop_assert_eq!(read.one(Tag::File), Some(&file[..]));
        prop_assert_eq!(read.number(Tag::Timeout), Some(number));
        prop_assert_eq!(read.one(Tag::Text), None);
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), start in 0..2_usize) {
        // Half of the cases get past the header.
        let bytes = if start == 0 { packet(Kind::Ask, &bytes) } else { bytes };
        if let Ok((_, rest)) = Header::read(&bytes)
            && let Ok(body) = Body::read(rest)
        {
            let total: usize = TAGS.into_iter().flat_map(|tag| body.all(tag)).map(<[u8]>::len).sum();
            prop_assert!(total <= rest.len());
        }
    }
}
