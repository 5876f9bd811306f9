//! The daemons: how each is configured and started, and what it takes of the machine.

mod bird;
mod frr;
mod process;
mod route_reflector;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

pub use process::Running;

/// Where every daemon listens.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 1);
pub const PORT: u16 = 179;

/// A peer as the daemon is told of it. It connects to the daemon, and is a client of the reflector.
pub struct Client {
    pub address: Ipv4Addr,
    /// More prefixes than these end the session.
    pub max_prefix: Option<u32>,
}

/// All that a configuration says.
pub struct Setup {
    pub clients: Vec<Client>,
    /// Seconds.
    pub hold_time: u16,
}

/// What to start.
pub struct Launch {
    /// Written to the scratch directory: name and content.
    pub file: (&'static str, String),
    pub arguments: Vec<String>,
}

/// One kind of daemon.
pub struct Daemon {
    pub name: &'static str,
    /// Where its program may be.
    places: &'static [&'static str],
    launch: fn(&Setup, &Path) -> Launch,
}

/// All of them; the first is this project's.
pub const DAEMONS: [Daemon; 3] = [
    Daemon { name: "route-reflector", places: &[], launch: route_reflector::launch },
    Daemon { name: "bird", places: &["/usr/sbin/bird", "/usr/local/sbin/bird"], launch: bird::launch },
    Daemon {
        name: "frr",
        places: &["/usr/lib/frr/bgpd", "/usr/libexec/frr/bgpd", "/usr/sbin/bgpd"],
        launch: frr::launch,
    },
];

impl Daemon {
    /// Its program, if it is installed.
    pub fn binary(&self, ours: &Path) -> Option<PathBuf> {
        let ours = self.places.is_empty().then_some(ours);
        let mut places = ours.into_iter().chain(self.places.iter().map(Path::new));
        places.find(|place| place.exists()).map(Path::to_path_buf)
    }

    /// Starts it; it ends with the value.
    pub fn start(&self, binary: &Path, setup: &Setup, scratch: &Path) -> std::io::Result<Running> {
        let launch = (self.launch)(setup, scratch);
        std::fs::create_dir_all(scratch)?;
        std::fs::write(scratch.join(launch.file.0), launch.file.1)?;
        Running::start(binary, &launch.arguments, scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configuration_names_every_client_its_limit_and_the_hold_time() {
        let client = |last, max_prefix| Client { address: Ipv4Addr::new(10, 1, 0, last), max_prefix };
        let setup = Setup { clients: vec![client(7, None), client(8, Some(4321))], hold_time: 57 };
        for daemon in &DAEMONS {
            let text = (daemon.launch)(&setup, Path::new("/tmp")).file.1;
            for needle in ["10.1.0.7", "10.1.0.8", "4321", "57", "10.255.0.1"] {
                assert!(
                    text.contains(needle) || daemon.name == "frr" && needle == "10.255.0.1",
                    "{needle}: {text}"
                );
            }
        }
    }
}
