//! As much of HTTP as it takes to ask the simulator, written on its own so that it shares no mistake with the client of vecferry.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// An answer; without a status where none arrived.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Its headers as they came, in lower case.
    pub headers: String,
    pub body: Value,
}

/// Sends one request and reads the answer to its end.
#[track_caller]
pub fn ask(api: &str, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Answer {
    let host = api.strip_prefix("http://").expect("the simulator speaks plain HTTP");
    let mut stream = TcpStream::connect(host).expect("the simulator listens");
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    if let Some(key) = key {
        request += &format!("Authorization: Bearer {key}\r\n");
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    if !body.is_empty() {
        request += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).expect("the simulator reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the simulator answers in UTF-8");
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return Answer { status: 0, headers: String::new(), body: Value::Null };
    };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{method} {path}: {error}: {body}"));
    Answer { status, headers: head.to_lowercase(), body }
}
