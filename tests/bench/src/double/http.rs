//! As much of HTTP/1.1 as the SDK and the runtime client speak: requests with `Content-Length`, kept-alive connections.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Connections that are served at the same time. The threads wait in `accept` before anything is measured, so that no
/// measurement contains the start of a thread.
const WORKERS: usize = 6;

/// Serves connections on a free loopback port until the process ends. `serve` handles one connection to its end.
pub(crate) fn listen(serve: impl Fn(Connection) -> Result<()> + Send + Sync + 'static) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serve = Arc::new(serve);
    for _ in 0..WORKERS {
        let (listener, serve) = (listener.try_clone()?, serve.clone());
        thread::Builder::new().spawn(move || {
            for stream in listener.incoming().flatten() {
                // A program that is ended in the middle of a request is no failure of ours.
                let _ended = Connection::new(stream).and_then(|connection| serve(connection));
            }
        })?;
    }
    Ok(address)
}

/// A request.
pub(crate) struct Request {
    /// Method and path, e.g. `GET /next`.
    pub(crate) line: String,
    /// `X-Amz-Target`, empty if there is none.
    pub(crate) target: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// One connection.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
    out: Vec<u8>,
}

impl Connection {
    fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::with_capacity(64 * 1024, stream), out: Vec::new() })
    }

    /// The next request; `None` when the other side has closed.
    pub(crate) fn read(&mut self) -> Result<Option<Request>> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut request =
            Request { line: line.trim_end().trim_end_matches(" HTTP/1.1").to_owned(), target: String::new(), body: Vec::new() };
        let mut length = 0;
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(Error::other)?,
                "transfer-encoding" => return Err(Error::other("chunked requests are not understood")),
                "x-amz-target" => value.trim().clone_into(&mut request.target),
                _ => {}
            }
        }
        request.body.resize(length, 0);
        self.reader.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    /// Answers in one write. `head` is the status line and the headers but `Content-Length`, each ending in CR LF.
    pub(crate) fn write(&mut self, head: &str, body: &[u8]) -> Result<()> {
        self.out.clear();
        write!(self.out, "{head}content-length: {}\r\n\r\n", body.len())?;
        self.out.extend_from_slice(body);
        self.reader.get_mut().write_all(&self.out)
    }

    /// Waits until the other side closes.
    pub(crate) fn wait_for_end(&mut self) -> Result<()> {
        std::io::copy(&mut self.reader, &mut std::io::sink()).map(|_| ())
    }
}
