//! The embedded cloud, as a child process of the test.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names another program than the one in the project's virtual environment.
const PROGRAM_VARIABLE: &str = "DESKBRIDGE_EMULATOR";

/// How long it may take to answer its first request.
const START_TIME: Duration = Duration::from_secs(30);

/// An emulator of the cloud's services on a free port of 127.0.0.1. It ends with this value.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    port: u16,
}

impl Emulator {
    /// Starts the program that `DESKBRIDGE_EMULATOR` names, or `.venv/bin/ministack` of this checkout, and waits until
    /// it answers. Blocks the thread: to be called at the beginning of a test.
    ///
    /// # Panics
    /// If there is no such program, or it does not answer within 30 s.
    #[must_use]
    pub fn start() -> Self {
        let program = program();
        let port = free_port();
        let child = Command::new(&program)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("LOG_LEVEL", "ERROR")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start the emulator {}: {error}", program.display()));
        let mut emulator = Self { child, port };
        emulator.wait_until_ready();
        emulator
    }

    /// Where it listens, e.g. `http://127.0.0.1:40123`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn wait_until_ready(&mut self) {
        let started = Instant::now();
        while !self.answers() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the emulator ended before it answered: {status}");
            }
            assert!(started.elapsed() < START_TIME, "the emulator does not answer on port {}", self.port);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            let mut head = [0; 12];
            stream.read_exact(&mut head)?;
            Ok(String::from_utf8_lossy(&head).into_owned())
        };
        ask().is_ok_and(|head| head == "HTTP/1.1 200")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    if let Some(path) = std::env::var_os(PROGRAM_VARIABLE) {
        return path.into();
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/ministack");
    assert!(
        own.exists(),
        "the emulator is not installed: set up the project's virtual environment, or name one in {PROGRAM_VARIABLE}"
    );
    own
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
