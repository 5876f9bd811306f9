//! The daemons: how each is configured and started, and what the kernel says of its processes.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::bgp::{ASN, HOLD_TIME, PORT};
use crate::net::{HERE, NEIGHBOR};

/// How long a daemon may take to end.
const END: Duration = Duration::from_secs(20);

/// A kind of daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Speaker,
    Bird,
    Frr,
}

pub const KINDS: [Kind; 3] = [Kind::Speaker, Kind::Bird, Kind::Frr];

/// A program that runs.
struct Process {
    child: Child,
}

/// A daemon that runs: all its processes. It ends with this value.
pub struct Daemon {
    /// The last that was started ends first.
    processes: Vec<Process>,
    scratch: PathBuf,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Speaker => "bgp-speaker",
            Kind::Bird => "bird",
            Kind::Frr => "frr",
        }
    }

    /// Its programs, if they are installed, in the order in which they are started.
    pub fn programs(self, ours: &Path) -> Option<Vec<PathBuf>> {
        let first = |places: &[&str]| places.iter().map(PathBuf::from).find(|place| place.exists());
        match self {
            Kind::Speaker => Some(vec![ours.exists().then(|| ours.to_owned())?]),
            Kind::Bird => Some(vec![first(&["/usr/sbin/bird", "/usr/local/sbin/bird"])?]),
            Kind::Frr => ["zebra", "bgpd"]
                .map(|name| first(&[&format!("/usr/lib/frr/{name}"), &format!("/usr/libexec/frr/{name}")]))
                .into_iter()
                .collect(),
        }
    }

    /// Starts it in this namespace.
    pub fn start(self, programs: &[PathBuf]) -> io::Result<Daemon> {
        let scratch = std::env::temp_dir().join(format!("fib-bench-{}-{}", std::process::id(), self.name()));
        fs::create_dir_all(&scratch)?;
        // FRR's daemons give up root and make their sockets afterwards.
        fs::set_permissions(&scratch, Permissions::from_mode(0o777))?;
        let mut daemon = Daemon { processes: Vec::new(), scratch };
        let at = daemon.scratch.display().to_string();
        match (self, programs) {
            (Kind::Speaker, [speaker]) => {
                let config = daemon.write("config.toml", &speaker_config(&at))?;
                daemon.spawn(speaker, &["--config", &config])?;
            }
            (Kind::Bird, [bird]) => {
                let config = daemon.write("bird.conf", &bird_config())?;
                daemon.spawn(
                    bird,
                    &["-f", "-c", &config, "-s", &format!("{at}/ctl"), "-P", &format!("{at}/pid")],
                )?;
            }
            (Kind::Frr, [zebra, bgpd]) => {
                let (zebra_config, bgpd_config) =
                    (daemon.write("zebra.conf", "")?, daemon.write("bgpd.conf", &bgpd_config())?);
                let socket = format!("{at}/zserv.api");
                let common = ["-A", "127.0.0.1", "-z", &socket, "--vty_socket", &at, "--log", "stdout"];
                let pid = |name: &str| format!("{at}/{name}.pid");
                daemon.spawn(zebra, &[&common[..], &["-f", &zebra_config, "-i", &pid("zebra")]].concat())?;
                wait_for(Path::new(&socket))?;
                daemon.spawn(bgpd, &[&common[..], &["-f", &bgpd_config, "-i", &pid("bgpd")]].concat())?;
            }
            _ => return Err(io::Error::other("not the programs of this daemon")),
        }
        Ok(daemon)
    }
}

fn wait_for(socket: &Path) -> io::Result<()> {
    let end = Instant::now() + END;
    while !socket.exists() {
        if Instant::now() > end {
            return Err(io::Error::other(format!("no {}", socket.display())));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn speaker_config(scratch: &str) -> String {
    format!(
        "asn = {ASN}\nrouter-id = \"{HERE}\"\nlisten = [\"{HERE}:{PORT}\"]\nhold-time = {HOLD_TIME}\n\
         [[peers]]\naddress = \"{NEIGHBOR}\"\npassive = true\n\
         [api]\nsocket = \"{scratch}/api.sock\"\nlisten = \"\"\n[log]\nlevel = \"warn\"\n"
    )
}

/// Next hops of iBGP are resolved by what `direct` knows.
fn bird_config() -> String {
    format!(
        "log stderr {{ warning, error, fatal, bug }};\nrouter id {HERE};\nprotocol device {{ }}\n\
         protocol direct {{ ipv4; interface \"r*\"; }}\n\
         protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}\n\
         protocol bgp {{ local {HERE} port {PORT} as {ASN}; neighbor {NEIGHBOR} as {ASN}; passive; hold time {HOLD_TIME}; \
         connect delay time 1; error wait time 1, 1; ipv4 {{ import all; export none; }}; }}\n"
    )
}

fn bgpd_config() -> String {
    format!(
        "frr defaults traditional\nrouter bgp {ASN}\n bgp router-id {HERE}\n no bgp network import-check\n \
         timers bgp {} {HOLD_TIME}\n neighbor {NEIGHBOR} remote-as {ASN}\n neighbor {NEIGHBOR} passive\n",
        HOLD_TIME / 3
    )
}

impl Daemon {
    fn write(&self, name: &str, text: &str) -> io::Result<String> {
        let path = self.scratch.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        Ok(path.display().to_string())
    }

    fn spawn(&mut self, program: &Path, arguments: &[&str]) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(self.scratch.join("log"))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        self.processes.push(Process { child: command.spawn()? });
        Ok(())
    }

    /// The last lines that it wrote.
    pub fn log(&self) -> String {
        let text = fs::read(self.scratch.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(3)..].join(" | ")
    }

    /// CPU time of all its threads, those that have ended included, in ticks.
    pub fn ticks(&self) -> u64 {
        self.processes.iter().map(Process::ticks).sum()
    }

    /// The same in seconds.
    pub fn cpu(&self) -> f64 {
        let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
        self.ticks() as f64 / per_second as f64
    }

    /// Resident memory now, in MB.
    pub fn resident(&self) -> f64 {
        self.processes.iter().map(|process| process.memory("VmRSS:")).sum()
    }

    /// The most resident memory so far, in MB.
    pub fn peak(&self) -> f64 {
        self.processes.iter().map(|process| process.memory("VmHWM:")).sum()
    }
}

impl Process {
    fn about(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default()
    }

    fn ticks(&self) -> u64 {
        let stat = self.about("stat");
        // After the name, which may have anything in it: state is the third field, utime the 14th.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
        fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
    }

    fn memory(&self, key: &str) -> f64 {
        let status = self.about("status");
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.unwrap_or(f64::NAN) / 1024.0
    }

    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_alive() {
            let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        }
        let end = Instant::now() + END;
        while self.is_alive() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        while self.processes.pop().is_some() {}
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configuration_names_the_neighbor_and_the_hold_time() {
        for text in [speaker_config("/tmp"), bird_config(), bgpd_config()] {
            assert!(text.contains("10.0.0.2") && text.contains("3600"), "{text}");
        }
    }
}
