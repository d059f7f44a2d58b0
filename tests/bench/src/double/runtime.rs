//! The Lambda Runtime API: hands out events and takes answers.

use std::io::{Error, Result};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::http::{Connection, listen};

/// What a function said to the Runtime API.
pub(crate) enum Said {
    /// It asks for the next event. Dropping `reply` lets it wait for ever.
    Next {
        /// When the request had been read.
        at: Instant,
        /// Takes the event.
        reply: Sender<Vec<u8>>,
    },
    /// The answer to the last event.
    Answer(Vec<u8>),
    /// It failed: at its start or in an event.
    Failure(Vec<u8>),
}

/// Starts the double: its address, and what functions say to it.
pub(crate) fn start() -> Result<(SocketAddr, Receiver<Said>)> {
    let (to_main, said) = channel();
    Ok((listen(move |connection| serve(connection, &to_main))?, said))
}

fn serve(mut connection: Connection, to_main: &Sender<Said>) -> Result<()> {
    let tell = |said| to_main.send(said).map_err(Error::other);
    while let Some(request) = connection.read()? {
        let at = Instant::now();
        if request.line == "GET /2018-06-01/runtime/invocation/next" {
            let (reply, event) = channel();
            tell(Said::Next { at, reply })?;
            let Ok(event) = event.recv() else { return connection.wait_for_end() };
            let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() + 29_000;
            connection.write(&format!("{EVENT_HEAD}lambda-runtime-deadline-ms: {deadline}\r\n"), &event)?;
        } else {
            let is_answer = request.line.starts_with("POST ") && request.line.ends_with("/response");
            tell(if is_answer { Said::Answer(request.body) } else { Said::Failure(request.body) })?;
            connection.write("HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n", br#"{"status":"OK"}"#)?;
        }
    }
    Ok(())
}

const EVENT_HEAD: &str = "HTTP/1.1 200 OK\r\n\
    content-type: application/json\r\n\
    lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
    lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:bench\r\n\
    lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n";
