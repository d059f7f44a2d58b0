//! The world around a function under measurement: the Lambda Runtime API and the AWS services it calls, on loopback.
//!
//! Reads one specification (JSON) from standard input, starts the programs it names, measures them and writes one result
//! (JSON) to standard output. `tests/bench/double.py` describes both. It is a program of its own, because what it
//! measures is of the size of an interpreter's hiccup.

mod aws;
mod http;
mod md5;
mod runtime;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use aws::{Aws, Calls};
use runtime::Said;
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// After this long without a word a program is taken to hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// Time a program gets to come to rest before its CPU time or what it called is read: the kernel books the time when
/// the program stops running.
const SETTLE: Duration = Duration::from_millis(20);

/// Bytes of a program's output that are kept.
const LOG_LIMIT: usize = 16 * 1024;

fn main() -> Result<()> {
    let spec: Value = serde_json::from_reader(io::stdin().lock())?;
    let aws = Arc::new(Aws::new(&spec));
    let bench = Bench { aws_address: aws.clone().start()?, aws, runtime: runtime::start()? };
    let result = match spec["mode"].as_str() {
        Some("start") => bench.measure_start(&spec)?,
        Some("invoke") => bench.measure_invocations(&spec)?,
        _ => return Err("mode is neither start nor invoke".into()),
    };
    println!("{result}");
    Ok(())
}

struct Bench {
    aws: Arc<Aws>,
    aws_address: SocketAddr,
    runtime: (SocketAddr, Receiver<Said>),
}

impl Bench {
    /// Time from just before a program is started until it asks for its first event; the programs take turns.
    fn measure_start(&self, spec: &Value) -> Result<Value> {
        let programs = spec["programs"].as_array().ok_or("programs are missing")?;
        let warm_up = number(spec, "warm_up")?;
        let mut measured = vec![Vec::new(); programs.len()];
        let mut seen: Vec<Value> = vec![Value::Null; programs.len()];
        for round in 0..warm_up + number(spec, "rounds")? {
            for (index, program) in programs.iter().enumerate() {
                let mut running = self.prepare(program)?;
                let started = Instant::now();
                running.spawn()?;
                let (at, reply) = self.next(&running)?;
                let took = at.duration_since(started).as_nanos();
                if round >= warm_up {
                    measured[index].push(u64::try_from(took)?);
                }
                // Accounts may be read beside the first question for an event: that ends, too.
                thread::sleep(if round == 0 { SETTLE * 10 } else { SETTLE });
                let calls = std::mem::take(&mut self.aws.seen().calls);
                drop(reply);
                let log = running.end();
                if round == 0 {
                    seen[index] = json!({"calls": calls, "log": log});
                }
            }
        }
        Ok(measured
            .into_iter()
            .zip(seen)
            .map(|(ns, seen)| json!({"ns": ns, "calls": seen["calls"], "log": seen["log"]}))
            .collect())
    }

    /// CPU time of a program for its events, those of the warm-up left out.
    fn measure_invocations(&self, spec: &Value) -> Result<Value> {
        let events: Vec<Vec<u8>> =
            spec["events"].as_array().ok_or("events are missing")?.iter().map(|e| e.to_string().into_bytes()).collect();
        let warm_up = number(spec, "warm_up")?;
        let mut running = self.prepare(&spec["program"])?;
        running.spawn()?;
        let (_, mut reply) = self.next(&running)?;
        self.aws.seen().calls.clear();

        let mut histogram: BTreeMap<(Calls, String), u64> = BTreeMap::new();
        let mut last_answer = Value::Null;
        let (mut cpu_before, mut began) = (running.cpu_ns()?, Instant::now());
        for (index, event) in events.iter().enumerate() {
            if index == warm_up {
                (cpu_before, began) = (running.cpu_ns()?, Instant::now());
            }
            reply.send(event.clone())?;
            last_answer = self.answer(&running)?;
            (_, reply) = self.next(&running)?;
            let calls = std::mem::take(&mut self.aws.seen().calls);
            if index >= warm_up {
                *histogram.entry((calls, last_answer["statusCode"].to_string())).or_default() += 1;
            }
        }
        let wall = u64::try_from(began.elapsed().as_nanos())?;
        let cpu = running.cpu_ns()? - cpu_before;
        drop(reply);
        let log = running.end();
        let seen = self.aws.seen();
        Ok(json!({
            "invocations": events.len() - warm_up,
            "cpu_ns": cpu,
            "wall_ns": wall,
            "kinds": histogram.into_iter()
                .map(|((calls, status), count)| json!({"calls": calls, "status": status, "count": count}))
                .collect::<Vec<_>>(),
            "last_answer": last_answer,
            "written": seen.written,
            "sent": seen.sent,
            "log": log,
        }))
    }

    fn prepare(&self, program: &Value) -> Result<Program> {
        let path = program["path"].as_str().ok_or("a program has no path")?;
        let mut command = Command::new(path);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
        for (name, value) in program["env"].as_object().into_iter().flatten() {
            command.env(name, value.as_str().ok_or("a variable is no text")?);
        }
        command.env("AWS_LAMBDA_RUNTIME_API", self.runtime.0.to_string());
        command.env("AWS_ENDPOINT_URL", format!("http://{}", self.aws_address));
        Ok(Program { path: path.to_owned(), command, child: None, reader: None, log: Arc::default() })
    }

    fn next(&self, program: &Program) -> Result<(Instant, Sender<Vec<u8>>)> {
        match self.runtime.1.recv_timeout(PATIENCE) {
            Ok(Said::Next { at, reply }) => Ok((at, reply)),
            Ok(Said::Answer(body)) => Err(program.trouble("answered twice", &body)),
            Ok(Said::Failure(body)) => Err(program.trouble("failed", &body)),
            Err(_) => Err(program.trouble("does not ask for an event", b"")),
        }
    }

    fn answer(&self, program: &Program) -> Result<Value> {
        match self.runtime.1.recv_timeout(PATIENCE) {
            Ok(Said::Answer(body)) => Ok(serde_json::from_slice(&body)?),
            Ok(Said::Next { .. }) => Err(program.trouble("asked for another event without answering", b"")),
            Ok(Said::Failure(body)) => Err(program.trouble("failed", &body)),
            Err(_) => Err(program.trouble("does not answer", b"")),
        }
    }
}

/// A program under measurement; ended when dropped.
struct Program {
    path: String,
    command: Command,
    child: Option<Child>,
    reader: Option<JoinHandle<Option<()>>>,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Program {
    fn spawn(&mut self) -> Result<()> {
        let mut child = self.command.spawn()?;
        let (out, log) = (child.stdout.take(), self.log.clone());
        self.child = Some(child);
        // As on Lambda, what the program writes goes into a pipe that somebody reads.
        let reader = thread::Builder::new().spawn(move || {
            let (mut out, mut buffer) = (out?, [0; 8192]);
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                let room = LOG_LIMIT - log.len();
                log.extend_from_slice(&buffer[..count.min(room)]);
            }
            Some(())
        })?;
        self.reader = Some(reader);
        Ok(())
    }

    /// CPU time of all threads, user and system.
    fn cpu_ns(&self) -> Result<u64> {
        thread::sleep(SETTLE);
        let pid = self.child.as_ref().ok_or("not started")?.id();
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(sum)
    }

    fn end(&mut self) -> String {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _gone = child.kill();
            let _status = child.wait();
        }
        if let Some(reader) = self.reader.take() {
            let _read_to_the_end = reader.join();
        }
        self.logged()
    }

    fn logged(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn trouble(&self, what: &str, body: &[u8]) -> Box<dyn std::error::Error + Send + Sync> {
        format!("{} {what} {}\n{}", self.path, String::from_utf8_lossy(body), self.logged()).into()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

fn number(spec: &Value, name: &str) -> Result<usize> {
    Ok(usize::try_from(spec[name].as_u64().ok_or_else(|| format!("{name} is missing"))?)?)
}
