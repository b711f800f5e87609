//! A TCP proxy on loopback, between vecferry and a server, at which things go wrong on purpose: at a chosen byte or request,
//! in either direction. `fault.rs` has what can go wrong, `link.rs` is one connection.

mod fault;
mod frames;
mod link;

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

pub use fault::{At, Direction, Fault, Kind};
use frames::{Mark, What};
use link::{Held, Link};

/// A proxy that runs until the test process ends.
pub struct Proxy {
    uri: String,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy to `uri` at which these faults strike.
    pub fn start(uri: &str, faults: &[Fault]) -> Proxy {
        for fault in faults {
            let held = matches!(fault.kind, Kind::HoldBack { .. });
            let end = matches!(fault.at, At::Write(_)) && fault.direction == Direction::ToServer;
            assert!(!held || end, "only the end of a large request can be held back: {fault}");
        }
        let server = uri.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { waiting: faults.to_vec(), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        let all = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, shared) = (server.clone(), Arc::clone(&all));
                thread::spawn(move || {
                    if let Some(left) = shared.black_for() {
                        thread::sleep(left);
                        return;
                    }
                    // Where the server is down, the client is turned away too.
                    if let Ok(server) = TcpStream::connect(&server) {
                        Link::serve(client, server, shared);
                    }
                });
            }
        });
        Proxy { uri: format!("http://{address}"), shared }
    }

    /// A proxy that loses the answers on the connection over which the bytes sent in all come to exceed each of `cut_after`:
    /// the request arrives, and then the connection is closed. That is the ugliest thing that can happen to an insert.
    pub fn cutting(uri: &str, cut_after: &[u64]) -> Proxy {
        let fault =
            |after: &u64| Fault { at: At::Byte(after + 1), direction: Direction::ToServer, kind: Kind::LoseAnswers };
        Proxy::start(uri, &cut_after.iter().map(fault).collect::<Vec<_>>())
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The faults that struck so far, in their order.
    pub fn struck(&self) -> Vec<Fault> {
        self.shared.state().struck.clone()
    }

    /// How many of the requests that were held back got an answer in the end, which nobody was there to hear.
    pub fn delivered(&self) -> usize {
        self.shared.state().delivered
    }

    /// How many large requests have passed.
    pub fn writes(&self) -> u64 {
        self.shared.state().writes
    }

    /// From now on nothing goes wrong any more, and what was held back is lost.
    pub fn calm(&self) {
        let mut state = self.shared.state();
        state.waiting.clear();
        state.held.clear();
        state.black_until = None;
    }
}

/// What all connections of a proxy have in common.
pub(super) struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Fault>,
    struck: Vec<Fault>,
    to_server: u64,
    to_client: u64,
    requests: u64,
    writes: u64,
    black_until: Option<Instant>,
    held: Vec<Held>,
    delivered: usize,
}

/// A fault that strikes within the bytes that were just read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strike {
    pub offset: usize,
    /// The request, where one was counted.
    pub stream: u32,
    pub fault: Fault,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A connection that failed while it held the lock left nothing half done.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What strikes within these bytes of the client, in their order. Faults of the way back are due as soon as their request
    /// is counted.
    pub fn due_to_server(&self, length: usize, marks: &[Mark]) -> Vec<Strike> {
        let mut state = self.state();
        let mut due = state.due_bytes(Direction::ToServer, length);
        for Mark { offset, stream, what } in marks {
            let at = match what {
                What::Headers => {
                    state.requests += 1;
                    At::Request(state.requests)
                }
                What::Written => {
                    state.writes += 1;
                    At::Write(state.writes)
                }
                What::Ended => continue,
            };
            let found = state.waiting.iter().filter(|fault| fault.at == at);
            due.extend(found.map(|fault| Strike { offset: *offset, stream: *stream, fault: *fault }));
        }
        due.sort_by_key(|strike| strike.offset);
        state.strike(&due);
        due
    }

    /// What strikes within these bytes of the server.
    pub fn due_to_client(&self, length: usize) -> Vec<Strike> {
        let mut state = self.state();
        let mut due = state.due_bytes(Direction::ToClient, length);
        due.sort_by_key(|strike| strike.offset);
        state.strike(&due);
        due
    }

    /// Keeps the end of a request.
    pub fn hold(&self, held: Held) {
        self.state().held.push(held);
    }

    /// Delivers what was held back until this many more large requests are to pass.
    pub fn deliver_before(&self, writes: usize) {
        let due: Vec<Held> = {
            let mut state = self.state();
            for held in &mut state.held {
                held.writes = held.writes.saturating_sub(writes as u64);
            }
            let (due, later) = std::mem::take(&mut state.held).into_iter().partition(|held| held.writes == 0);
            state.held = later;
            due
        };
        let answered = due.into_iter().filter_map(Held::deliver).count();
        self.state().delivered += answered;
    }

    /// Nothing passes for this long.
    pub fn blacken(&self, time: Duration) {
        self.state().black_until = Some(Instant::now() + time);
    }

    /// How long nothing passes any more, if nothing does.
    pub fn black_for(&self) -> Option<Duration> {
        let until = self.state().black_until?;
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

impl State {
    fn due_bytes(&mut self, direction: Direction, length: usize) -> Vec<Strike> {
        let passed = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        let before = *passed;
        *passed += length as u64;
        let within = |fault: &&Fault| match fault.at {
            At::Byte(byte) => fault.direction == direction && (before + 1..=before + length as u64).contains(&byte),
            _ => false,
        };
        let strike = |fault: &Fault| match fault.at {
            At::Byte(byte) => Strike { offset: (byte - before - 1) as usize, stream: 0, fault: *fault },
            _ => unreachable!("chosen by its byte"),
        };
        self.waiting.iter().filter(within).map(strike).collect()
    }

    fn strike(&mut self, due: &[Strike]) {
        for Strike { fault, .. } in due {
            if let Some(place) = self.waiting.iter().position(|waiting| waiting == fault) {
                self.waiting.remove(place);
            }
            self.struck.push(*fault);
        }
    }
}

mod tests {
    use std::io::{Read, Write};
    use std::net::Shutdown;

    use super::*;

    const SENT: usize = 200;
    const TIME: Duration = Duration::from_millis(300);

    /// What reaches a server and what comes back to its client, which sends [`SENT`] bytes and gets as many back, when
    /// something goes wrong at the 101st in this direction.
    fn arrives(direction: Direction, kind: Kind) -> [usize; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut got = vec![0; SENT];
            let mut length = 0;
            while length < SENT {
                match client.read(&mut got[length..]) {
                    Ok(read @ 1..) => length += read,
                    _ => return length,
                }
            }
            let _cut = client.write_all(&got);
            length
        });
        let proxy = Proxy::start(&address, &[Fault { at: At::Byte(101), direction, kind }]);
        let mut client = TcpStream::connect(proxy.uri().trim_start_matches("http://")).unwrap();
        client.write_all(&[0; SENT]).unwrap();
        let (mut came, mut bytes) = (0, [0; SENT]);
        while let Ok(read @ 1..) = client.read(&mut bytes) {
            came += read;
            if came == SENT {
                client.shutdown(Shutdown::Both).unwrap();
            }
        }
        assert_eq!(proxy.struck().len(), 1);
        [server.join().unwrap(), came]
    }

    #[test]
    fn each_fault_does_what_its_name_says() {
        use Direction::{ToClient, ToServer};
        assert_eq!(arrives(ToServer, Kind::Cut), [0, 0]);
        assert_eq!(arrives(ToClient, Kind::Cut), [SENT, 0]);
        assert_eq!(arrives(ToServer, Kind::HalfDeliver), [100, 0]);
        assert_eq!(arrives(ToClient, Kind::HalfDeliver), [SENT, 100]);
        assert_eq!(arrives(ToServer, Kind::LoseAnswers), [SENT, 0]);
        assert_eq!(arrives(ToClient, Kind::LoseAnswers), [SENT, 100]);
        for direction in [ToServer, ToClient] {
            let started = Instant::now();
            assert_eq!(arrives(direction, Kind::Delay(TIME)), [SENT, SENT]);
            assert!(started.elapsed() >= TIME);
            let started = Instant::now();
            let hole = arrives(direction, Kind::BlackHole(TIME));
            assert_eq!(hole, if direction == ToServer { [100, 0] } else { [SENT, 100] });
            assert!(started.elapsed() >= TIME);
        }
    }
}
