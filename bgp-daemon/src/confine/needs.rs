//! What a configuration needs of the system, as plain data.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::{Config, Selector};

/// Ports under this take a privilege.
const FIRST_FREE_PORT: u16 = 1024;

/// A privilege that a daemon may need (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// CAP_NET_ADMIN: routes, devices and packet filters.
    NetAdmin,
    /// CAP_NET_RAW: router advertisements.
    NetRaw,
    /// CAP_NET_BIND_SERVICE: ports under 1024.
    NetBindService,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Capability::NetAdmin => "CAP_NET_ADMIN",
            Capability::NetRaw => "CAP_NET_RAW",
            Capability::NetBindService => "CAP_NET_BIND_SERVICE",
        })
    }
}

/// What a daemon needs of the system. Paths are real ones, without symbolic links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Privileges.
    pub capabilities: BTreeSet<Capability>,
    /// Where files are read: directories.
    pub read: BTreeSet<PathBuf>,
    /// Where files are made, written and removed: directories.
    pub write: BTreeSet<PathBuf>,
    /// Where it listens: TCP ports.
    pub listen: BTreeSet<u16>,
    /// The program that it runs.
    pub program: Option<PathBuf>,
    /// Whether it keeps the kernel's routes: then it changes settings of the network, too.
    pub forwards: bool,
}

impl Needs {
    /// What `config` needs, which was read from `config_path`.
    #[must_use]
    pub fn of(config: &Config, config_path: Option<&Path>) -> Needs {
        let forwards = config.fib.is_some_and(|fib| fib.enabled);
        let listens = config.listen.iter().map(std::net::SocketAddr::port);
        let listen: BTreeSet<u16> = listens.chain(config.api.listen.map(|api| api.port())).collect();
        let seeks = config.peers.iter().any(|peer| matches!(peer.selector, Selector::Interface(_)));
        let capabilities = [
            (Capability::NetAdmin, forwards),
            (Capability::NetRaw, seeks),
            (Capability::NetBindService, listen.iter().any(|port| (1..FIRST_FREE_PORT).contains(port))),
        ];
        let keys = config.peers.iter().flat_map(|peer| {
            let keys = peer.tcp_ao.iter().filter_map(|key| key.file.as_deref());
            keys.chain(peer.password_file.as_deref())
        });
        let files = keys.chain(config_path).chain(config.announce.file.as_deref());
        let socket = config.api.socket.parent().map(Path::to_path_buf);
        let mrt = config.mrt.as_ref().map(|mrt| mrt.directory.clone());
        Needs {
            capabilities: capabilities.into_iter().filter_map(|(it, needed)| needed.then_some(it)).collect(),
            read: files.flat_map(directories_of).collect(),
            write: socket.into_iter().chain(mrt).map(|path| real(&path)).collect(),
            listen,
            program: forwards.then(|| find("nft")).flatten(),
            forwards,
        }
    }

    /// Has the directories that are written to: a rule is for one that is there. Who fails to write later says why.
    pub(super) fn make_directories(&self) {
        for path in &self.write {
            let _ = std::fs::create_dir_all(path);
        }
    }

    /// What is needed here that is not there: a phrase for each thing.
    pub(super) fn beyond(&self, kept: &Needs) -> Vec<String> {
        let privileges = self.capabilities.difference(&kept.capabilities).map(ToString::to_string);
        let read = self.read.iter().filter(|path| !kept.reads_below(path));
        let write = self.write.iter().filter(|path| !within(path, &kept.write));
        privileges
            .chain(read.map(|path| format!("reading in {}", path.display())))
            .chain(write.map(|path| format!("writing in {}", path.display())))
            .collect()
    }

    /// Whether this file may be read.
    pub(super) fn may_read(&self, path: &Path) -> bool {
        directories_of(path).iter().all(|directory| self.reads_below(directory))
    }

    fn reads_below(&self, path: &Path) -> bool {
        within(path, &self.read) || within(path, &self.write)
    }
}

fn within(path: &Path, directories: &BTreeSet<PathBuf>) -> bool {
    directories.iter().any(|directory| path.starts_with(directory))
}

/// The directory that a file's name is in, and the one where the file is that it leads to. A file is replaced by another of
/// the same name, so a rule cannot be for the file itself.
fn directories_of(file: &Path) -> Vec<PathBuf> {
    let parent = |path: &Path| path.parent().map(Path::to_path_buf);
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
    let named = parent(&absolute).map(|directory| real(&directory));
    let led_to = std::fs::canonicalize(&absolute).ok().as_deref().and_then(parent);
    named.into_iter().chain(led_to).collect()
}

/// The real path. Of one that is not there: what is there of it, and the rest as it is.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for there in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (std::fs::canonicalize(there), absolute.strip_prefix(there)) {
            // Joining nothing would add a slash.
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    absolute
}

/// The program of this name, as the shell would find it.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found =
        std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file());
    found.and_then(|file| std::fs::canonicalize(file).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DaemonKind;

    fn needs(daemon: DaemonKind, text: &str) -> Needs {
        let config = Config::parse(text, "/etc/bgp/x.toml", daemon).unwrap_or_else(|e| panic!("{}", e[0]));
        Needs::of(&config, Some(Path::new("/etc/bgp/x.toml")))
    }

    fn privileges(daemon: DaemonKind, text: &str) -> Vec<Capability> {
        needs(daemon, text).capabilities.into_iter().collect()
    }

    #[test]
    fn a_daemon_needs_the_privileges_of_its_work_only() {
        use Capability::{NetAdmin, NetBindService, NetRaw};
        let [reflector, speaker] = [DaemonKind::Reflector, DaemonKind::Speaker];
        assert_eq!(privileges(reflector, "asn = 1\n"), [NetBindService]);
        assert_eq!(privileges(reflector, "asn = 1\nlisten = [\"10.0.0.1:1179\"]\n"), []);
        assert_eq!(privileges(speaker, "asn = 1\nlisten = []\n"), [NetAdmin]);
        assert_eq!(privileges(speaker, "asn = 1\nlisten = []\n[fib]\nenabled = false\n"), []);
        let unnumbered = "asn = 1\nlisten = []\n[[peers]]\ninterface = \"eth0\"\n";
        assert_eq!(privileges(speaker, unnumbered), [NetAdmin, NetRaw]);
    }

    #[test]
    fn what_was_given_up_is_named() {
        let kept = needs(DaemonKind::Reflector, "asn = 1\nlisten = [\"10.0.0.1:1179\"]\n");
        let more = "asn = 1\nlisten = [\"10.0.0.1:1179\"]\n[[peers]]\ninterface = \"eth0\"\n\
                    [announce]\nfile = \"/no-such/prefixes\"\n[mrt]\ndirectory = \"/no-such/mrt\"\n";
        let more = needs(DaemonKind::Reflector, more);
        assert_eq!(
            more.beyond(&kept),
            ["CAP_NET_RAW", "reading in /no-such", "writing in /no-such/mrt"].map(str::to_owned)
        );
        assert!(kept.beyond(&more).is_empty() && kept.beyond(&kept).is_empty());
    }

    #[test]
    fn a_file_that_a_link_leads_to_is_read_where_it_is() {
        let folder = std::env::temp_dir().join(format!("confine-{}", std::process::id()));
        let [named, other] = ["named", "other"].map(|name| folder.join(name));
        for folder in [&named, &other] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(other.join("file"), "").unwrap();
        std::os::unix::fs::symlink(other.join("file"), named.join("file")).unwrap();
        let found = directories_of(&named.join("file"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, [named, other]);
    }
}
