//! What a daemon logs to may be full, or nobody may read it: that is no concern of its sessions.

#![cfg(test)]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use interop::{
    Error, Neighbor, Net, Node, Peer, Program, Result, Setup, SmallDisk, Software, ensure, messages,
};

const AS: u32 = 64512;
/// An answer takes longer only if something hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// A reflector that tells of each stranger, and a speaker with a session of three seconds' hold time.
struct Pair {
    net: Net,
    rr: Node,
    reflector: Child,
    speaker: Box<dyn Peer>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = self.reflector.kill();
        let _ = self.reflector.wait();
    }
}

impl Pair {
    /// The reflector's log goes there.
    fn start(log: Stdio) -> Result<Pair> {
        let net = Net::new()?;
        let (rr, node) = (net.node("rr")?, net.node("node")?);
        let config = rr.write(
            "config.toml",
            &format!(
                "asn = {AS}\nrouter-id = \"{}\"\n[log]\nlevel = \"debug\"\n[api]\nsocket = \"{}\"\n\
                 [[peers]]\naddress = \"{}\"\nasn = {AS}\nhold-time = 3\n",
                rr.v4(),
                rr.dir().join("api.sock").display(),
                node.v4()
            ),
        )?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", rr.namespace()]).arg(Program::RouteReflector.path()?);
        let started = command.arg("--config").arg(config).stderr(log).spawn();
        let reflector = started.map_err(|error| Error::NotSo(format!("ip (package iproute2): {error}")))?;
        let speaker = Software::Speaker.start(&node, &Setup::new(AS).neighbor(Neighbor::new(rr.v4(), AS)))?;
        let mut pair = Pair { net, rr, reflector, speaker };
        let peer = pair.rr.v4();
        let speaker = &mut pair.speaker;
        pair.net.eventually("a session", || ensure(speaker.is_established(peer)?, || "not up"))?;
        Ok(pair)
    }

    /// Strangers connect, each of them worth a line, until there is no room for more.
    fn fill_the_log(&self) -> Result<()> {
        let port = SocketAddr::new(self.rr.v4(), 179);
        self.rr.inside(|| {
            for _ in 0..400 {
                for _ in 0..100 {
                    drop(TcpStream::connect_timeout(&port, PATIENCE)?);
                }
                if lost(&get("/metrics")?) > 0 {
                    return Ok(());
                }
            }
            Err(std::io::Error::other("no line of the log is lost"))
        })
    }

    /// The session lives for longer than its hold time.
    fn session_stays(&mut self) -> Result<()> {
        let peer = self.rr.v4();
        let first = messages(self.speaker.as_mut(), peer, "received", "keepalive")?;
        let speaker = &mut self.speaker;
        self.net.eventually("KEEPALIVEs of more than the hold time", || {
            let seen = messages(speaker.as_mut(), peer, "received", "keepalive")?;
            ensure(seen > first + 4, || format!("{first}, then {seen}"))
        })?;
        ensure(interop::flaps(self.speaker.as_mut())? == 0, || "the session ended")
    }

    /// SIGTERM, and its end.
    fn ends(&mut self) -> Result<()> {
        let pid = self.reflector.id().to_string();
        self.rr.run(&["kill", "-TERM", &pid])?;
        let child = &mut self.reflector;
        let status = self.net.eventually("the end", || {
            let status = child.try_wait().map_err(|error| Error::NotSo(error.to_string()))?;
            status.ok_or_else(|| Error::NotSo("it still runs".to_owned()))
        })?;
        ensure(status.success(), || format!("it ended with {status}"))
    }
}

fn get(path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect("127.0.0.1:9179")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        Ok(_) if answer.starts_with("HTTP/1.1 200") => Ok(answer),
        Ok(_) => Err(std::io::Error::other(format!("{path}: {answer}"))),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(std::io::Error::other(format!("no answer to {path} within {} s", PATIENCE.as_secs())))
        }
        Err(error) => Err(error),
    }
}

/// How many lines of its log a daemon has lost.
fn lost(metrics: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix("bgp_log_lines_lost_total "));
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn len(path: &Path) -> u64 {
    path.metadata().map(|file| file.len()).unwrap_or(0)
}

#[test]
fn a_log_that_nobody_reads_delays_no_session_and_no_answer() -> Result<()> {
    let mut pair = Pair::start(Stdio::piped())?;
    pair.fill_the_log()?;
    pair.session_stays()?;

    // Somebody reads again: old lines, how many are lost, and then everything up to the last word.
    let mut pipe = pair.reflector.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    });
    pair.ends()?;
    let text = reader.join().unwrap().unwrap();
    ensure(text.contains("confined"), || "the first lines are lost")?;
    let noted = text.lines().find(|line| line.contains("lines of the log were lost"));
    ensure(noted.is_some(), || format!("no word of lines that are lost in {} octets", text.len()))?;
    let last = text.lines().last().unwrap_or_default();
    ensure(last.ends_with("to=idle"), || format!("the last line is {last}"))
}

#[test]
fn a_daemon_whose_log_nobody_reads_ends_when_it_is_told_to() -> Result<()> {
    let mut pair = Pair::start(Stdio::piped())?;
    pair.fill_the_log()?;
    pair.ends()
}

#[test]
fn a_full_disk_under_the_log_delays_no_session_and_the_log_goes_on_when_there_is_room() -> Result<()> {
    let disk = SmallDisk::new(256 << 10)?;
    let path = disk.path().join("reflector.log");
    let file = File::options().append(true).create(true).open(&path);
    let file = file.map_err(|error| Error::NotSo(error.to_string()))?;
    let mut pair = Pair::start(file.into())?;
    disk.fill()?;
    pair.fill_the_log()?;
    pair.session_stays()?;
    let before = len(&path);

    disk.free()?;
    pair.net.eventually("the log goes on", || ensure(len(&path) > before, || format!("{before} octets")))
}
