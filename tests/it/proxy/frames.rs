//! Follows one direction of an HTTP/2 connection, as far as faults are placed by it: where requests begin, and where the
//! messages of large ones end. Nothing is decoded but the nine bytes before each frame and the length before each message.

use std::collections::HashMap;

/// What every client sends first.
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;
/// One byte that says whether a message is compressed, and four for its length.
const MESSAGE_HEAD: usize = 5;
/// Messages from this size on are rows being written; everything else that vecferry says to a target is shorter.
pub const LARGE: usize = 4 << 10;

/// Something at a place in the bytes that were just read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Where, in the bytes just read. The beginning of something whose first bytes came earlier is at 0.
    pub offset: usize,
    /// The request.
    pub stream: u32,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The headers of a request or of an answer begin.
    Headers,
    /// The last byte of a large message.
    Written,
    /// The last byte of the last frame of this stream in this direction.
    Ended,
}

/// How far a direction was followed.
#[derive(Default)]
pub struct Frames {
    skip: usize,
    head: Vec<u8>,
    frame: Option<Frame>,
    messages: HashMap<u32, Message>,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    left: usize,
}

/// The one message of a stream, as far as it came.
#[derive(Default)]
struct Message {
    head: Vec<u8>,
    length: usize,
    left: usize,
}

impl Frames {
    /// What a client sends.
    pub fn of_client() -> Frames {
        Frames { skip: PREFACE, ..Frames::default() }
    }

    /// What a server sends.
    pub fn of_server() -> Frames {
        Frames::default()
    }

    /// Goes on with these bytes.
    pub fn follow(&mut self, bytes: &[u8]) -> Vec<Mark> {
        let mut marks = Vec::new();
        let mut at = self.skip.min(bytes.len());
        self.skip -= at;
        while at < bytes.len() {
            match self.frame.take() {
                None => {
                    let begins = at.saturating_sub(self.head.len());
                    let taken = (HEAD - self.head.len()).min(bytes.len() - at);
                    self.head.extend(&bytes[at..at + taken]);
                    at += taken;
                    if self.head.len() == HEAD {
                        self.begin(begins, at, &mut marks);
                    }
                }
                Some(mut frame) => {
                    let taken = frame.left.min(bytes.len() - at);
                    if frame.kind == DATA {
                        self.data(frame.stream, &bytes[at..at + taken], at, &mut marks);
                    }
                    at += taken;
                    frame.left -= taken;
                    self.frame = Some(frame);
                    self.end(at, &mut marks);
                }
            }
        }
        marks
    }

    fn begin(&mut self, begins: usize, at: usize, marks: &mut Vec<Mark>) {
        let head = std::mem::take(&mut self.head);
        let left = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        let frame = Frame { kind: head[3], flags: head[4], stream, left };
        assert!(frame.kind != DATA || frame.flags & PADDED == 0, "padded rows are not followed");
        if frame.kind == HEADERS {
            marks.push(Mark { offset: begins, stream, what: What::Headers });
        }
        self.frame = Some(frame);
        self.end(at, marks);
    }

    /// Leaves a frame that is over.
    fn end(&mut self, at: usize, marks: &mut Vec<Mark>) {
        if self.frame.as_ref().is_some_and(|frame| frame.left == 0) {
            let Frame { kind, flags, stream, .. } = self.frame.take().unwrap();
            if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                self.messages.remove(&stream);
                marks.push(Mark { offset: at - 1, stream, what: What::Ended });
            }
        }
    }

    fn data(&mut self, stream: u32, bytes: &[u8], at: usize, marks: &mut Vec<Mark>) {
        let message = self.messages.entry(stream).or_default();
        let head = (MESSAGE_HEAD - message.head.len()).min(bytes.len());
        if head > 0 {
            message.head.extend(&bytes[..head]);
            if let [_, a, b, c, d] = message.head[..] {
                message.length = u32::from_be_bytes([a, b, c, d]) as usize;
                message.left = message.length;
            }
        }
        let body = bytes.len() - head;
        if message.left > 0 && body >= message.left {
            if message.length >= LARGE {
                marks.push(Mark { offset: at + head + message.left - 1, stream, what: What::Written });
            }
            message.left = 0;
        } else {
            message.left -= body.min(message.left);
        }
    }
}

mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = payload.len().to_be_bytes();
        let mut bytes = vec![length[5], length[6], length[7], kind, flags, 0, 0, 0, stream];
        bytes.extend(payload);
        bytes
    }

    /// A request with a message of this length, in frames of at most 1000 bytes, and its end in an empty frame of its own.
    fn request(stream: u8, length: usize) -> Vec<u8> {
        let mut message = vec![0];
        message.extend(u32::try_from(length).unwrap().to_be_bytes());
        message.resize(MESSAGE_HEAD + length, 7);
        let mut bytes = frame(HEADERS, 4, stream, b"headers");
        for part in message.chunks(1000) {
            bytes.extend(frame(DATA, 0, stream, part));
        }
        bytes.extend(frame(DATA, END_STREAM, stream, b""));
        bytes
    }

    #[test]
    fn requests_are_followed_however_their_bytes_come() {
        let mut bytes = vec![b'P'; PREFACE];
        bytes.extend(frame(4, 0, 0, b"settings"));
        let (first, small) = (bytes.len(), request(1, 20));
        bytes.extend(&small);
        let (second, large) = (bytes.len(), request(3, 5000));
        bytes.extend(&large);
        let mark = |offset, stream, what| Mark { offset, stream, what };
        let expected = [
            mark(first, 1, What::Headers),
            mark(first + small.len() - 1, 1, What::Ended),
            mark(second, 3, What::Headers),
            mark(second + large.len() - 1 - HEAD, 3, What::Written),
            mark(second + large.len() - 1, 3, What::Ended),
        ];
        assert_eq!(Frames::of_client().follow(&bytes), expected);
        for step in 1..50 {
            let mut frames = Frames::of_client();
            let mut found = Vec::new();
            for (number, part) in bytes.chunks(step).enumerate() {
                found.extend(frames.follow(part).into_iter().map(|found| (number * step, found)));
            }
            assert_eq!(found.len(), expected.len(), "in steps of {step}");
            for ((start, found), expected) in found.into_iter().zip(expected) {
                assert_eq!((found.stream, found.what), (expected.stream, expected.what), "in steps of {step}");
                // What began in earlier bytes is noticed as late as its head is complete.
                let late = if found.what == What::Headers { HEAD } else { 0 };
                let offset = start + found.offset;
                assert!((expected.offset..=expected.offset + late).contains(&offset), "{offset} in steps of {step}");
            }
        }
    }
}
