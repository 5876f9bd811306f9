use crate::command::{run, run_with_input};
use crate::programs::installed;
use crate::{Error, KernelRoute, Process, Result};
use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

/// Every namespace is named `bgpit-PID-COUNTER-NODE`, so that tests run beside each other and leftovers are recognised.
const MARK: &str = "bgpit";
/// Lines of each log shown when a test fails.
const LOG_LINES: usize = 40;

static COUNTER: AtomicU32 = AtomicU32::new(0);
static SWEEP: Once = Once::new();

/// A set of nodes on one bridge, 10.9.0.0/24 and fd00:9::/64. It goes when the last handle to it goes, a panic included.
#[derive(Clone, Debug)]
pub struct Net(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    dir: PathBuf,
    nodes: Mutex<Vec<String>>,
}

/// One namespace with an `eth0` on the bridge. Clones are handles to the same namespace.
#[derive(Clone, Debug)]
pub struct Node {
    /// Keeps the net while a node is in use.
    _net: Arc<Shared>,
    name: String,
    namespace: String,
    dir: PathBuf,
    v4: IpAddr,
    v6: IpAddr,
}

/// A namespace with nothing but a bridge.
#[derive(Debug)]
pub(crate) struct Switch {
    namespace: String,
}

impl Net {
    /// An empty net.
    ///
    /// # Errors
    /// Without root, or without iproute2.
    pub fn new() -> Result<Net> {
        let net = Net::without_hub()?;
        net.switch("hub")?;
        Ok(net)
    }

    /// A net without the bridge that [`Net::node`] needs: its nodes are islands.
    pub(crate) fn without_hub() -> Result<Net> {
        installed("ip")?;
        SWEEP.call_once(sweep);
        let name = format!("{MARK}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&dir).map_err(Error::io(format!("cannot create {}", dir.display())))?;
        Ok(Net(Arc::new(Shared { name, dir, nodes: Mutex::default() })))
    }

    /// A new node with the next addresses: 10.9.0.N/24 and fd00:9::N/64 on `eth0`, `lo` up.
    ///
    /// # Errors
    /// If the kernel refuses a namespace or a veth pair.
    pub fn node(&self, name: &str) -> Result<Node> {
        // The hub was the first.
        let number = self.0.nodes().len() as u8;
        let v4 = IpAddr::V4(Ipv4Addr::new(10, 9, 0, number));
        let v6 = IpAddr::V6(Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, number.into()));
        let node = self.island(name, &[v4, v6])?;
        let hub = Switch { namespace: format!("{}-hub", self.0.name) };
        hub.plug(&node, "eth0", &format!("port{number}"))?;
        node.ip_batch(&format!(
            "link set eth0 up\naddress add {v4}/24 dev eth0\naddress add {v6}/64 dev eth0 nodad\n"
        ))?;
        Ok(node)
    }

    /// A node that is joined to nothing yet, `lo` up. The first address of either family will be the one it is known by.
    pub(crate) fn island(&self, name: &str, addresses: &[IpAddr]) -> Result<Node> {
        let namespace = self.0.add_namespace(name)?;
        let dir = self.0.dir.join(name);
        std::fs::create_dir_all(&dir).map_err(Error::io(format!("cannot create {}", dir.display())))?;
        open_to_all(&dir)?;
        run("ip", &["-n", &namespace, "link", "set", "lo", "up"])?;
        let first = |v6: bool| addresses.iter().copied().find(|address| address.is_ipv6() == v6);
        let v4 = first(false).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let v6 = first(true).unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        Ok(Node { _net: Arc::clone(&self.0), name: name.to_owned(), namespace, dir, v4, v6 })
    }

    /// A bridge in a namespace of its own.
    pub(crate) fn switch(&self, name: &str) -> Result<Switch> {
        let namespace = self.0.add_namespace(name)?;
        run("ip", &["-n", &namespace, "link", "add", "br0", "type", "bridge"])?;
        run("ip", &["-n", &namespace, "link", "set", "br0", "up"])?;
        Ok(Switch { namespace })
    }

    /// The end of every log, for a failure's message.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        for node in self.0.nodes().iter() {
            let dir = self.0.dir.join(node.strip_prefix(&format!("{}-", self.0.name)).unwrap_or(node));
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
            for path in entries.filter(|path| path.extension().is_some_and(|ext| ext == "log")) {
                let log = std::fs::read(&path).unwrap_or_default();
                let log = String::from_utf8_lossy(&log);
                let skip = log.lines().count().saturating_sub(LOG_LINES);
                text.push_str(&format!(
                    "--- {}\n",
                    path.strip_prefix(&self.0.dir).unwrap_or(&path).display()
                ));
                log.lines().skip(skip).for_each(|line| text.extend([line, "\n"]));
            }
        }
        text
    }
}

impl Switch {
    /// A cable from a node's new interface to a new port of the bridge.
    pub(crate) fn plug(&self, node: &Node, interface: &str, port: &str) -> Result<()> {
        node.cable(interface, &self.namespace, port)?;
        run("ip", &["-n", &self.namespace, "link", "set", port, "master", "br0", "up"]).map(drop)
    }
}

impl Node {
    /// The name it was made with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A cable from a new interface to one in another namespace. Both are down.
    pub(crate) fn cable(&self, interface: &str, namespace: &str, other: &str) -> Result<()> {
        let (ns, peer) = (self.namespace.as_str(), ["peer", "name", other, "netns", namespace]);
        run("ip", &[&["-n", ns, "link", "add", interface, "type", "veth"][..], &peer].concat()).map(drop)
    }

    /// The namespace's name, as `ip netns` shows it.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The node's scratch directory: configurations, sockets, logs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its first address, that of `eth0` unless it has one on `lo`.
    pub fn v4(&self) -> IpAddr {
        self.v4
    }

    /// Its first IPv6 address.
    pub fn v6(&self) -> IpAddr {
        self.v6
    }

    /// A pod behind the node, as a CNI plugin would set it up; its namespace. Make the nodes first: it takes a number, too.
    ///
    /// # Errors
    /// If the kernel refuses a namespace or a veth pair.
    pub fn pod(&self, address: &str) -> Result<String> {
        const GATEWAY: &str = "169.254.1.1";
        let device = format!("pod{}", self._net.nodes().len());
        let pod = self._net.add_namespace(&device)?;
        let ns = pod.as_str();
        self.cable(&device, ns, "eth0")?;
        self.ip_batch(&format!(
            "link set {device} up\naddress add {GATEWAY}/32 dev {device}\nroute add {address}/32 dev {device} proto static\n"
        ))?;
        run_with_input(
            "ip",
            &["-n", ns, "-batch", "-"],
            &format!(
                "link set lo up\nlink set eth0 up\naddress add {address}/32 dev eth0\n\
                 route add {GATEWAY}/32 dev eth0\nroute add default via {GATEWAY}\n"
            ),
        )?;
        self.run(&["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])?;
        Ok(pod)
    }

    /// Runs a command inside the namespace; its standard output.
    ///
    /// # Errors
    /// If it does not succeed.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        run("ip", &[&["netns", "exec", &self.namespace], command].concat())
    }

    /// Starts an installed program inside the namespace: one that is no router to ask, like ExaBGP. Dropping it kills it.
    ///
    /// # Errors
    /// If it is missing or does not start.
    pub fn spawn(&self, program: &str, args: &[&str]) -> Result<Process> {
        Process::start(self, &installed(program)?, args)
    }

    /// What `action` returns, run on a thread inside the namespace: a socket stays in the one it was made in.
    ///
    /// # Errors
    /// If the namespace cannot be entered, or the first error of `action`.
    pub fn inside<T: Send>(&self, action: impl FnOnce() -> std::io::Result<T> + Send) -> Result<T> {
        let what = format!("inside {}", self.namespace);
        let path = Path::new("/run/netns").join(&self.namespace);
        let entered = || {
            setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?;
            action()
        };
        let ended = std::thread::scope(|scope| scope.spawn(entered).join());
        ended.map_err(|_| Error::NotSo(format!("{what}: panicked")))?.map_err(Error::io(what))
    }

    /// The processes inside the namespace, by number.
    ///
    /// # Errors
    /// If `ip` fails.
    pub fn processes(&self) -> Result<Vec<u32>> {
        let listed = run("ip", &["netns", "pids", &self.namespace])?;
        Ok(listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
    }

    /// Runs many `ip` commands (without the word `ip`) in one go.
    ///
    /// # Errors
    /// If one of them fails.
    pub fn ip_batch(&self, commands: &str) -> Result<()> {
        run_with_input("ip", &["-n", &self.namespace, "-batch", "-"], commands)
    }

    /// The kernel's unicast and blackhole routes in the main table, both families.
    ///
    /// # Errors
    /// If `ip` fails or says something unexpected.
    pub fn routes(&self) -> Result<Vec<KernelRoute>> {
        let mut routes =
            KernelRoute::parse(&run("ip", &["-n", &self.namespace, "-j", "-4", "route", "show"])?)?;
        routes
            .extend(KernelRoute::parse(&run("ip", &["-n", &self.namespace, "-j", "-6", "route", "show"])?)?);
        Ok(routes)
    }

    /// Writes a file into the scratch directory.
    ///
    /// # Errors
    /// If the directory cannot be written to.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        std::fs::write(&path, text).map_err(Error::io(format!("cannot write {}", path.display())))?;
        open_to_all(&path)?;
        Ok(path)
    }
}

impl Shared {
    fn add_namespace(&self, name: &str) -> Result<String> {
        let namespace = format!("{}-{name}", self.name);
        run("ip", &["netns", "add", &namespace])?;
        self.nodes().push(namespace.clone());
        Ok(namespace)
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.nodes().iter().for_each(|namespace| remove_namespace(namespace));
        // A directory that cannot be removed is swept by the next run.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// FRR's daemons give up root and still have to create their sockets here.
fn open_to_all(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))
        .map_err(Error::io(format!("cannot open {} to all", path.display())))
}

/// Ends what runs in a namespace and removes it. Nothing here may fail loudly: it also runs during a panic.
fn remove_namespace(namespace: &str) {
    for pid in run("ip", &["netns", "pids", namespace]).unwrap_or_default().split_whitespace() {
        let _ = run("kill", &["-KILL", pid]);
    }
    let _ = run("ip", &["netns", "delete", namespace]);
}

/// Removes what test processes left behind that were killed before they could clean up.
fn sweep() {
    for namespace in names_in(Path::new("/run/netns")).filter(|name| owner_is_gone(name)) {
        remove_namespace(&namespace);
    }
    let temp = std::env::temp_dir();
    for dir in names_in(&temp).filter(|name| owner_is_gone(name)) {
        let _ = std::fs::remove_dir_all(temp.join(dir));
    }
}

fn names_in(dir: &Path) -> impl Iterator<Item = String> {
    std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
}

/// `bgpit-PID-…` of a process that no longer runs.
fn owner_is_gone(name: &str) -> bool {
    let mut parts = name.split('-');
    let pid = match (parts.next(), parts.next()) {
        (Some(MARK), Some(pid)) => pid.parse::<u32>(),
        _ => return false,
    };
    pid.is_ok_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_namespaces_of_dead_processes_are_leftovers() {
        assert!(owner_is_gone("bgpit-4294967295-0-hub"));
        assert!(!owner_is_gone(&format!("bgpit-{}-0-hub", std::process::id())));
        assert!(!owner_is_gone("somebody-4294967295-0"));
        assert!(!owner_is_gone("bgpit"));
    }
}
