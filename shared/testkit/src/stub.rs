//! A web server on 127.0.0.1 that answers byte for byte as the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came over the line.
#[derive(Debug, Clone)]
pub struct StubRequest {
    /// Request line and headers, lines ended by `\r\n`.
    pub head: String,
    /// Body, by its `Content-Length`.
    pub body: Vec<u8>,
    /// Which connection it came on, from 1.
    pub connection: usize,
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum StubAnswer {
    /// Writes these bytes and waits for the next request on the same connection.
    Keep(Vec<u8>),
    /// Writes these bytes, possibly none, and closes the connection.
    Close(Vec<u8>),
    /// Says nothing until the caller gives up.
    Silence,
}

impl StubAnswer {
    /// A whole answer that keeps the connection.
    #[must_use]
    pub fn ok(status: u16, body: &str) -> Self {
        Self::Keep(Self::bytes(status, body))
    }

    /// A whole answer as bytes.
    #[must_use]
    pub fn bytes(status: u16, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    }
}

type Handler = dyn Fn(&StubRequest) -> StubAnswer + Send + Sync;

/// The server. Its threads end with the process; a test needs nothing of them after its end.
#[derive(Debug)]
pub struct HttpStub {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<StubRequest>>>,
}

impl HttpStub {
    /// Starts a server on a free port that asks `handler` for each answer.
    #[must_use]
    pub fn start(handler: impl Fn(&StubRequest) -> StubAnswer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stub = Self { address, connections: Arc::default(), closed: Arc::default(), requests: Arc::default() };
        let (opened, closed, log) = (stub.connections.clone(), stub.closed.clone(), stub.requests.clone());
        let handler: Arc<Handler> = Arc::new(handler);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = opened.fetch_add(1, Ordering::SeqCst) + 1;
                let (closed, log, handler) = (closed.clone(), log.clone(), handler.clone());
                // A caller that goes away in the middle ends its thread, nothing else.
                std::thread::spawn(move || {
                    serve(&stream, connection, &log, &*handler);
                    drop(stream);
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        stub
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base, e.g. `http://127.0.0.1:40123`.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Blocks the thread until this many connections are closed.
    pub fn block_until_closed(&self, connections: usize) {
        while self.closed.load(Ordering::SeqCst) < connections {
            std::thread::yield_now();
        }
    }

    /// Requests read so far.
    #[must_use]
    pub fn requests(&self) -> Vec<StubRequest> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, connection: usize, log: &Mutex<Vec<StubRequest>>, handler: &Handler) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader, connection) {
        log.lock().unwrap().push(request.clone());
        let mut writer = stream;
        match handler(&request) {
            StubAnswer::Keep(bytes) => {
                if writer.write_all(&bytes).is_err() {
                    return;
                }
            }
            StubAnswer::Close(bytes) => {
                let _ = writer.write_all(&bytes);
                return;
            }
            StubAnswer::Silence => {
                let _ = reader.read_to_end(&mut Vec::new());
                return;
            }
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>, connection: usize) -> Option<StubRequest> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_ascii_lowercase();
    let length =
        lower.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(Some(0), |n| n.trim().parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(StubRequest { head, body, connection })
}
