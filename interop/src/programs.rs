use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The programs that are not part of this project: name and Debian package.
const PACKAGES: [(&str, &str); 16] = [
    ("ip", "iproute2"),
    ("bird", "bird2"),
    ("birdc", "bird2"),
    ("zebra", "frr"),
    ("bgpd", "frr"),
    ("staticd", "frr"),
    ("bfdd", "frr"),
    ("vtysh", "frr"),
    ("gobgpd", "gobgpd"),
    ("gobgp", "gobgpd"),
    ("bgpctl", "openbgpd"),
    ("exabgp", "exabgp"),
    ("pmbmpd", "pmacct"),
    ("bgpdump", "bgpdump"),
    ("tshark", "tshark"),
    ("tcpdump", "tcpdump"),
];

/// FRR's daemons come first: OpenBGPD has a `bgpd` too.
const DIRECTORIES: [&str; 6] =
    ["/usr/lib/frr", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin"];

/// Where an installed program is, or which package to install.
pub(crate) fn installed(program: &str) -> Result<PathBuf> {
    let found = DIRECTORIES.iter().map(|dir| Path::new(dir).join(program)).find(|path| path.is_file());
    found.ok_or_else(|| Error::MissingProgram {
        program: program.to_owned(),
        package: PACKAGES
            .iter()
            .find(|(name, _)| *name == program)
            .map_or("(unknown)", |(_, package)| package),
    })
}

/// Where a program is that must come from this directory: another of its name may lie elsewhere.
pub(crate) fn installed_in(program: &str, dir: &str, package: &'static str) -> Result<PathBuf> {
    let path = Path::new(dir).join(program);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::MissingProgram { program: program.to_owned(), package })
    }
}

/// A program of this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The route reflector.
    RouteReflector,
    /// The node speaker.
    Speaker,
    /// The command line.
    Bgp,
    /// The player of recorded UPDATEs.
    Replay,
}

impl Program {
    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            Program::RouteReflector => "route-reflector",
            Program::Speaker => "bgp-speaker",
            Program::Bgp => "bgp",
            Program::Replay => "replay",
        }
    }

    /// The executable built with the profile of the running one: beside it, or beside the `deps` or `examples` it lies in.
    ///
    /// # Errors
    /// [`Error::MissingDaemon`] if it has not been built.
    pub fn path(self) -> Result<PathBuf> {
        let own = std::env::current_exe().map_err(Error::io("where is the running program"))?;
        let dir = own.parent().unwrap_or(Path::new("/"));
        let near = dir.join(self.name());
        let path = match (near.is_file(), dir.parent()) {
            (false, Some(profile)) => profile.join(self.name()),
            _ => near,
        };
        if path.is_file() { Ok(path) } else { Err(Error::MissingDaemon(path)) }
    }
}
