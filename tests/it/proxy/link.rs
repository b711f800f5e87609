//! One connection through the proxy: two threads, one for each direction.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::frames::{Frames, What};
use super::{Direction, Fault, Kind, Shared, Strike};

/// How long the server has to act on what it got before a connection without answers is closed.
const GRACE: Duration = Duration::from_millis(700);
/// How long the rest of a request is waited for when its end is held back.
const REST: Duration = Duration::from_millis(300);
/// Longer than any server takes to answer what was delivered late.
const ANSWER: Duration = Duration::from_secs(20);
const CHUNK: usize = 64 << 10;

/// One connection.
pub struct Link {
    client: TcpStream,
    server: TcpStream,
    shared: Arc<Shared>,
    /// Answers are read and lost.
    muted: AtomicBool,
    /// The request whose end is held back; the server's side stays open for it.
    held: AtomicU32,
    /// Says that the server answered it.
    answered: Sender<()>,
    answers: Mutex<Option<Receiver<()>>>,
    /// Faults of the way back whose request has passed.
    called: Mutex<Vec<Fault>>,
}

/// The end of a request that was held back.
pub struct Held {
    /// Large requests that are still to come before it is delivered, the one that waits for it included.
    pub writes: u64,
    bytes: Vec<u8>,
    server: TcpStream,
    answers: Receiver<()>,
}

impl Held {
    /// Gives the server the end, and waits until it has answered.
    pub fn deliver(self) -> Option<()> {
        (&self.server).write_all(&self.bytes).ok()?;
        self.answers.recv_timeout(ANSWER).ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The server's side was left open for this alone.
        let _gone = self.server.shutdown(Shutdown::Both);
    }
}

impl Link {
    /// Passes everything on until either side or a fault closes the connection.
    pub fn serve(client: TcpStream, server: TcpStream, shared: Arc<Shared>) {
        // Small frames wait for nothing, as they do without a proxy.
        let _slower = (client.set_nodelay(true), server.set_nodelay(true));
        let (answered, answers) = channel();
        let link = Arc::new(Link {
            client,
            server,
            shared,
            muted: AtomicBool::new(false),
            held: AtomicU32::new(0),
            answered,
            answers: Mutex::new(Some(answers)),
            called: Mutex::default(),
        });
        let back = Arc::clone(&link);
        thread::spawn(move || back.answers());
        link.requests();
    }

    fn requests(&self) {
        let (mut frames, mut bytes) = (Frames::of_client(), vec![0; CHUNK]);
        while let Ok(read @ 1..) = (&self.client).read(&mut bytes) {
            if self.pass_request(&bytes[..read], &mut frames).is_none() {
                break;
            }
        }
        self.close();
    }

    fn answers(&self) {
        let (mut frames, mut bytes) = (Frames::of_server(), vec![0; CHUNK]);
        while let Ok(read @ 1..) = (&self.server).read(&mut bytes) {
            if self.pass_answer(&bytes[..read], &mut frames).is_none() {
                break;
            }
        }
        self.close();
    }

    /// Passes on what the client sent; nothing where that ends the connection.
    fn pass_request(&self, bytes: &[u8], frames: &mut Frames) -> Option<()> {
        self.fall_into_the_hole()?;
        let marks = frames.follow(bytes);
        let strikes = self.shared.due_to_server(bytes.len(), &marks);
        let writes = marks.iter().filter(|mark| mark.what == What::Written).count();
        if writes > 0 {
            self.shared.deliver_before(writes);
        }
        let mut sent = 0;
        for strike in strikes {
            if strike.fault.direction == Direction::ToClient {
                self.called.lock().unwrap().push(strike.fault);
                continue;
            }
            if let Kind::HoldBack { writes } = strike.fault.kind {
                self.to_server(&bytes[sent..strike.offset])?;
                self.hold_back(&bytes[strike.offset..], frames, strike.stream, writes);
                return None;
            }
            if strike.fault.kind == Kind::LoseAnswers {
                self.muted.store(true, Ordering::SeqCst);
                self.to_server(&bytes[sent..])?;
                self.rest_of_request();
                return None;
            }
            sent = self.suffer(strike, bytes, sent, |part| self.to_server(part))?;
        }
        self.to_server(&bytes[sent..])
    }

    fn pass_answer(&self, bytes: &[u8], frames: &mut Frames) -> Option<()> {
        let held = self.held.load(Ordering::SeqCst);
        let marks = frames.follow(bytes);
        if held != 0 && marks.iter().any(|mark| mark.stream == held && mark.what == What::Ended) {
            // Nobody listens any more where the proxy was calmed.
            let _deaf = self.answered.send(());
        }
        if self.muted.load(Ordering::SeqCst) {
            return Some(());
        }
        self.fall_into_the_hole()?;
        let called = std::mem::take(&mut *self.called.lock().unwrap());
        let called = called.into_iter().map(|fault| Strike { offset: 0, stream: 0, fault });
        let mut sent = 0;
        for strike in called.chain(self.shared.due_to_client(bytes.len())) {
            if strike.fault.kind == Kind::LoseAnswers {
                self.to_client(&bytes[sent..strike.offset.max(sent)])?;
                self.muted.store(true, Ordering::SeqCst);
                thread::sleep(GRACE);
                return None;
            }
            sent = self.suffer(strike, bytes, sent, |part| self.to_client(part))?;
        }
        self.to_client(&bytes[sent..])
    }

    /// Lets a fault strike that is the same in both directions. Returns how much was passed on, or nothing where it ended the
    /// connection.
    fn suffer(&self, strike: Strike, bytes: &[u8], sent: usize, pass: impl Fn(&[u8]) -> Option<()>) -> Option<usize> {
        // Two faults may strike at one place.
        let at = strike.offset.max(sent);
        match strike.fault.kind {
            Kind::Delay(time) => {
                pass(&bytes[sent..at])?;
                thread::sleep(time);
                Some(at)
            }
            Kind::Cut => None,
            Kind::HalfDeliver => {
                let half = if at == 0 { bytes.len() / 2 } else { at };
                pass(&bytes[sent..half])?;
                None
            }
            Kind::BlackHole(time) => {
                pass(&bytes[sent..at])?;
                self.shared.blacken(time);
                self.fall_into_the_hole()?;
                None
            }
            Kind::LoseAnswers | Kind::HoldBack { .. } => unreachable!("they differ by direction"),
        }
    }

    /// Keeps the end of a request and cuts the client off.
    fn hold_back(&self, bytes: &[u8], frames: &mut Frames, stream: u32, writes: u64) {
        self.muted.store(true, Ordering::SeqCst);
        self.held.store(stream, Ordering::SeqCst);
        let (mut bytes, mut more) = (bytes.to_vec(), vec![0; CHUNK]);
        // The frame that closes the request may come by itself; a server may wait for it.
        let ended = |mark: &super::Mark| mark.stream == stream && mark.what == What::Ended;
        let _waits = self.client.set_read_timeout(Some(REST));
        while let Ok(read @ 1..) = (&self.client).read(&mut more) {
            bytes.extend(&more[..read]);
            if frames.follow(&more[..read]).iter().any(ended) {
                break;
            }
        }
        if let (Some(answers), Ok(server)) = (self.answers.lock().unwrap().take(), self.server.try_clone()) {
            self.shared.hold(Held { writes, bytes, server, answers });
        }
    }

    /// Passes on what is still to come of a request whose answer is lost.
    fn rest_of_request(&self) {
        let _waits = self.client.set_read_timeout(Some(GRACE));
        let mut bytes = vec![0; CHUNK];
        while let Ok(read @ 1..) = (&self.client).read(&mut bytes) {
            if self.to_server(&bytes[..read]).is_none() {
                break;
            }
        }
    }

    /// Where nothing passes, waits until that is over. Nothing then, because the connection is lost too.
    fn fall_into_the_hole(&self) -> Option<()> {
        let Some(left) = self.shared.black_for() else { return Some(()) };
        self.muted.store(true, Ordering::SeqCst);
        thread::sleep(left);
        None
    }

    fn to_server(&self, bytes: &[u8]) -> Option<()> {
        (&self.server).write_all(bytes).ok()
    }

    fn to_client(&self, bytes: &[u8]) -> Option<()> {
        (&self.client).write_all(bytes).ok()
    }

    fn close(&self) {
        let _gone = self.client.shutdown(Shutdown::Both);
        if self.held.load(Ordering::SeqCst) == 0 {
            let _gone = self.server.shutdown(Shutdown::Both);
        }
    }
}
