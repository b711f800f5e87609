//! A stand-in for a Milvus server, made to measure what the client costs by itself. It is no Milvus: it makes up rows, hands
//! them out from memory, and throws away what it is sent.
//!
//! It is a source with one collection, `rows`, and a target for any other. Every byte of a vector does cross the socket, in
//! frames of the size that the real servers use, in both directions. What does not happen is storing: of an insert only the
//! keys are kept, so that counts and keys can be asked for afterwards. A target that is asked for whole rows answers with
//! those of the source, which proves nothing; it is there to measure what `verify: full` costs the client.
//!
//! The first line on stdout says what this is, the second is its address. It ends when its stdin is closed, and its last line
//! says in JSON how much went through.
#![allow(clippy::print_stdout, reason = "this is no part of vecferry, and its output is read by the measurement")]
#![allow(clippy::result_large_err, reason = "the protocol's own status is the error of every call")]

mod asked;
mod rows;
mod service;
mod sieve;
mod world;

use std::error::Error;
use std::sync::{Arc, Mutex};

use clap::Parser;
use tokio::io::AsyncReadExt;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use rows::Rows;
use service::StandIn;
use world::World;

/// Bytes of a frame of HTTP/2, both ways: what servers written in Go send and take, and nobody can set there.
const FRAME: u32 = 16 << 10;
/// Bytes that a client may send ahead. Servers written in Go begin with 64 KiB and grow to this.
const WINDOW: u32 = 16 << 20;

/// Stands in for two Milvus servers, to measure a client without them.
#[derive(Parser)]
struct Settings {
    /// Rows of the source's collection, whose keys are 0, 1, 2 and so on.
    #[arg(long, default_value_t = 200_000)]
    rows: u32,
    /// Dimension of the vectors.
    #[arg(long, default_value_t = 768)]
    dim: u32,
    /// Gives each row 200 bytes of text and a JSON object too.
    #[arg(long)]
    text: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::parse();
    let world = Arc::new(Mutex::new(World::new(Rows::new(settings.rows, settings.dim, settings.text))));
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    println!("This is a stand-in for measuring and no Milvus.");
    println!("http://{}", incoming.local_addr()?);
    let serving = Server::builder()
        .max_frame_size(FRAME)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .add_service(StandIn::new(world.clone()))
        .serve_with_incoming(incoming);
    tokio::select! {
        served = serving => served?,
        closed = closed() => closed?,
    }
    println!("{}", world.lock().map_err(|_| "a call panicked")?.traffic());
    Ok(())
}

/// Waits until nobody holds the other end of stdin.
async fn closed() -> std::io::Result<()> {
    let (mut stdin, mut buffer) = (tokio::io::stdin(), [0; 64]);
    while stdin.read(&mut buffer).await? > 0 {}
    Ok(())
}
