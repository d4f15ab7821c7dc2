//! The decoder of the evaluator's socket.

use evaluator::wire::{Body, Header, Tag, field};

/// Any bytes as a packet, and as a body. What is read, written again and read again is the same.
pub fn wire(data: &[u8]) {
    let bodies = [Some(data), Header::read(data).ok().map(|(_, body)| body)];
    for body in bodies.into_iter().flatten().filter_map(|bytes| Body::read(bytes).ok()) {
        let mut again = Vec::new();
        for tag in [Tag::File, Tag::Argument, Tag::Variable, Tag::Text] {
            for value in body.all(tag) {
                field(tag, value, &mut |piece| again.extend_from_slice(piece));
            }
        }
        let again = Body::read(&again).expect("what we write can be read");
        for tag in [Tag::File, Tag::Argument, Tag::Variable, Tag::Text] {
            assert!(again.all(tag).eq(body.all(tag)));
        }
    }
    if let Ok((header, _)) = Header::read(data) {
        assert_eq!(header.bytes(), data[..header.bytes().len()]);
    }
}
