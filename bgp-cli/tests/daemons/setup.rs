//! Daemons on loopback addresses of their own, so that tests run beside each other.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

/// A program of this project, beside `bgp`.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_bgp")).with_file_name(name);
    assert!(path.is_file(), "no {}: cargo build -p route-reflector -p bgp-speaker", path.display());
    path
}

/// A directory and a network 127.A.B.0/24 for one test.
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    network: [u8; 2],
}

impl Place {
    pub(crate) fn new() -> Place {
        static COUNTER: AtomicU8 = AtomicU8::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let [.., high, low] = std::process::id().to_be_bytes();
        let directory = std::env::temp_dir().join(format!("bgp-daemons-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Place { directory, network: [64 + (high.wrapping_add(number) & 63), low] }
    }

    pub(crate) fn address(&self, host: u8) -> String {
        let [a, b] = self.network;
        format!("127.{a}.{b}.{host}")
    }

    /// Where the daemon of this name has its control socket.
    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        self.directory.join(name).with_extension("sock")
    }

    /// Writes a configuration: `text` with the daemon's own socket, and without a TCP endpoint.
    pub(crate) fn configure(&self, name: &str, text: &str) -> PathBuf {
        let file = self.directory.join(name).with_extension("toml");
        let socket = self.socket(name);
        let api = format!("[api]\nsocket = \"{}\"\nlisten = \"\"\n", socket.display());
        std::fs::write(&file, format!("asn = 64512\n{text}{api}")).unwrap();
        file
    }

    /// A reflector at host 1 of the network whose clients are all others, and what its configuration says.
    pub(crate) fn reflector(&self) -> Daemon {
        let text = format!(
            "router-id = \"10.0.0.1\"\nlisten = [\"{}:1179\"]\n[[clients]]\nrange = \"{}/24\"\n",
            self.address(1),
            self.address(0)
        );
        let file = self.configure("reflector", &text);
        Daemon::start(&mut Command::new(program("route-reflector")), &file, self.socket("reflector"))
    }

    /// The configuration of a speaker at `host` that installs nothing and peers with the reflector.
    pub(crate) fn client(&self, host: u8, router_id: &str) -> String {
        format!(
            "router-id = \"{router_id}\"\nlisten = []\n[fib]\nenabled = false\n[[peers]]\nname = \"rr\"\n\
             address = \"{}\"\nport = 1179\nsource-address = \"{}\"\nconnect-retry = 1\n",
            self.address(1),
            self.address(host)
        )
    }

    pub(crate) fn speaker(&self, name: &str, text: &str) -> Daemon {
        let file = self.configure(name, text);
        Daemon::start(&mut Command::new(program("bgp-speaker")), &file, self.socket(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A running daemon; killed when the test ends.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) socket: PathBuf,
}

/// What a command printed, and its exit code.
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let code = status.code().unwrap();
    Ran { out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap(), code }
}

impl Daemon {
    /// Starts `command` with a configuration and waits until its socket answers.
    pub(crate) fn start(command: &mut Command, config: &Path, socket: PathBuf) -> Daemon {
        let log = std::fs::File::create(config.with_extension("log")).unwrap();
        let child = command.arg("--config").arg(config).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let daemon = Daemon { child, socket };
        // Whatever the condition: no peer is needed for this one, only an answer.
        let up = daemon.bgp("wait --count 0 --timeout 30s");
        let log = std::fs::read_to_string(config.with_extension("log")).unwrap();
        assert_eq!(up.code, 0, "{}\n{log}", up.err);
        daemon
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(program("bgp"));
        command.env("BGP_SOCKET", &self.socket).args(words.split(' '));
        command
    }

    /// `bgp` with words.
    pub(crate) fn bgp(&self, words: &str) -> Ran {
        run(&mut self.command(words))
    }

    /// `bgp` with words, whose exit code is 0; what it prints.
    pub(crate) fn ok(&self, words: &str) -> String {
        let Ran { out, err, code } = self.bgp(words);
        assert_eq!(code, 0, "bgp {words}\n{out}{err}");
        out
    }

    /// A document, as JSON.
    pub(crate) fn json(&self, words: &str) -> serde_json::Value {
        serde_json::from_str(&self.ok(&format!("{words} --json"))).unwrap()
    }

    /// The value of a series of `/metrics`.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: bgp\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// Watches, from now on.
    pub(crate) fn watch(&self, topic: &str) -> Watch {
        let mut command = self.command(&format!("watch {topic}"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut begun = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut begun).unwrap();
        assert_eq!(begun, "watching\n");
        Watch { child, lines }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running `bgp watch`.
pub(crate) struct Watch {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next event that contains `words`, without its time.
    pub(crate) fn until(&mut self, words: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the daemon ended before `{words}`");
            if let Some((_, event)) = line.split_once(' ').filter(|(_, event)| event.contains(words)) {
                return event.to_owned();
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
