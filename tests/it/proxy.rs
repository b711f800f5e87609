//! A TCP proxy on loopback that loses the answers to chosen requests: what the client sent reaches the server, and then the
//! connection is cut before a byte comes back. That is the ugliest thing that can happen to an insert.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long the server has to act on what it got before the connection is cut.
const GRACE: Duration = Duration::from_millis(700);

/// A proxy that runs until the test process ends.
pub struct Proxy {
    uri: String,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy to `uri` that cuts the connection over which the bytes sent in all come to exceed each of `cut_after`.
    pub fn cutting(uri: &str, cut_after: &[u64]) -> Proxy {
        let server = uri.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(cut_after.iter().rev().copied().collect::<Vec<_>>()));
        let (sent, cuts) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&cuts);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let (plan, sent, cuts) = (Arc::clone(&plan), Arc::clone(&sent), Arc::clone(&counted));
                thread::spawn(move || serve(&client, &server, &plan, &sent, &cuts));
            }
        });
        Proxy { uri: format!("http://{address}"), cuts }
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// How often a connection was cut.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

fn serve(client: &TcpStream, server: &TcpStream, plan: &Mutex<Vec<u64>>, sent: &AtomicU64, cuts: &AtomicUsize) {
    let silent = Arc::new(AtomicBool::new(false));
    let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let muted = Arc::clone(&silent);
    thread::spawn(move || {
        let mut bytes = [0; 64 << 10];
        while let Ok(read @ 1..) = from_server.read(&mut bytes) {
            // Answers that come once the connection is to be cut are read and lost.
            if !muted.load(Ordering::SeqCst) && to_client.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _gone = to_client.shutdown(Shutdown::Both);
    });
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let mut bytes = [0; 64 << 10];
    while let Ok(read @ 1..) = from_client.read(&mut bytes) {
        let all = sent.fetch_add(read as u64, Ordering::SeqCst) + read as u64;
        let cut = {
            let mut plan = plan.lock().unwrap();
            plan.last().is_some_and(|after| all > *after) && plan.pop().is_some()
        };
        if cut {
            silent.store(true, Ordering::SeqCst);
            cuts.fetch_add(1, Ordering::SeqCst);
        }
        if to_server.write_all(&bytes[..read]).is_err() {
            break;
        }
        if cut {
            // The rest of the request still goes through, so that the server gets all of it.
            from_client.set_read_timeout(Some(GRACE)).unwrap();
            while let Ok(read @ 1..) = from_client.read(&mut bytes) {
                sent.fetch_add(read as u64, Ordering::SeqCst);
                if to_server.write_all(&bytes[..read]).is_err() {
                    break;
                }
            }
            break;
        }
    }
    let _gone = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
}
