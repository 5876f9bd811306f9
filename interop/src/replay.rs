//! A recorded table through a reflector, compared at the other end: in BIRD with every attribute, and in a kernel's FIB.
//!
//! ```text
//!                                 ┌──► BIRD      (birdc show route all)  == recorded, with the reflector in CLUSTER_LIST
//!   player ──► route reflector ───┤
//!   (recorded UPDATEs)            └──► speaker ──► kernel (ip route)     == recorded, next hops resolved
//! ```

use crate::expected::{Expected, Fate};
use crate::process::Process;
use crate::recording::{Recording, Table};
use crate::{Neighbor, Net, Node, Peer, Program, Result, Setup, Software, ensure};
use std::collections::HashMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

/// Differences kept for the report, per table.
const SAMPLES: usize = 5;

/// Who stands where.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// The reflector in the middle.
    pub reflector: Software,
    /// The receiver with a kernel FIB.
    pub speaker: Software,
}

/// What a replay found.
#[derive(Clone, Debug)]
pub struct Report {
    announced: usize,
    withdrawn: usize,
    prefixes: usize,
    sets: usize,
    not_advertised: usize,
    treated_as_withdrawn: usize,
    without_aggregator: usize,
    bird: Comparison,
    kernel: Comparison,
}

/// One table against the recording.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Prefixes that must be there.
    pub expected: usize,
    /// Prefixes that are there.
    pub seen: usize,
    /// Prefixes that are there and equal in everything.
    pub equal: usize,
    /// A few differences in words.
    pub samples: Vec<String>,
    /// From the player's start until all prefixes had arrived.
    pub took: Duration,
}

impl Report {
    /// Whether both tables are as recorded.
    pub fn is_equal(&self) -> bool {
        [&self.bird, &self.kernel].iter().all(|table| table.is_equal())
    }
}

impl Comparison {
    fn is_equal(&self) -> bool {
        self.seen == self.expected && self.equal == self.expected
    }

    fn count(&mut self, equal: bool, sample: impl FnOnce() -> String) {
        self.seen += 1;
        if equal {
            self.equal += 1;
        } else if self.samples.len() < SAMPLES {
            self.samples.push(sample());
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recorded: {} announcements and {} withdrawals: ", self.announced, self.withdrawn)?;
        writeln!(f, "{} prefixes at the end, {} attribute lists", self.prefixes, self.sets)?;
        for (count, rule) in [
            (self.not_advertised, "not passed on: NO_ADVERTISE (RFC 1997)"),
            (self.treated_as_withdrawn, "treated as withdrawn: AS 0 in AS_PATH (RFC 7607)"),
            (self.without_aggregator, "passed on without AGGREGATOR: AS 0 in it (RFC 7607)"),
        ] {
            writeln!(f, "{count:>9} of them {rule}")?;
        }
        writeln!(
            f,
            "{:8} {:>9} {:>9} {:>9} {:>9} {:>8}",
            "TABLE", "EXPECTED", "SEEN", "EQUAL", "DIFFER", "SECONDS"
        )?;
        for (name, table) in [("bird", &self.bird), ("kernel", &self.kernel)] {
            let differ = table.seen.max(table.expected) - table.equal;
            let seconds = table.took.as_secs_f64();
            writeln!(
                f,
                "{name:8} {:>9} {:>9} {:>9} {differ:>9} {seconds:>8.1}",
                table.expected, table.seen, table.equal
            )?;
            table.samples.iter().try_for_each(|sample| writeln!(f, "  {sample}"))?;
        }
        Ok(())
    }
}

/// Plays `file` through `cast` and compares.
///
/// # Errors
/// If the file cannot be read or a router does not start. Differences are in the report, not errors.
pub fn replay(file: &Path, cast: Cast) -> Result<Report> {
    let recording = Recording::read(file)?;
    let table = recording.table()?;
    let net = Net::new()?;
    let nodes = [net.node("rr")?, net.node("player")?, net.node("bird")?, net.node("speaker")?];
    let [rr, player, bird, speaker] = &nodes;
    let fates = fates(&table, &recording, rr, cast)?;
    let igp = Igp::new(&fates);

    let client = |node: &Node| Neighbor::new(node.v4(), recording.asn).client();
    let setup =
        Setup::new(recording.asn).neighbor(client(player)).neighbor(client(bird)).neighbor(client(speaker));
    let _reflector = cast.reflector.start(rr, &setup)?;
    let receiver = Setup::new(recording.asn).neighbor(Neighbor::new(rr.v4(), recording.asn));
    igp.install(speaker)?;
    let mut bird_peer = Software::Bird.start(bird, &receiver.clone().igp(igp.routes()))?;
    let mut speaker_peer = cast.speaker.start(speaker, &receiver.igp(igp.routes()))?;
    for peer in [&mut bird_peer, &mut speaker_peer] {
        net.eventually("the receivers are up", || {
            ensure(peer.is_established(rr.v4())?, || "not established")
        })?;
    }

    let start = Instant::now();
    let (own, to) = (Program::Replay.path()?, rr.v4().to_string());
    let args = ["play", &file.canonicalize().unwrap_or_default().display().to_string(), "--to", &to]
        .map(str::to_owned);
    let _player = Process::start(player, &own, &args.each_ref().map(String::as_str))?;

    let count =
        |is: fn(&Fate) -> bool| table.routes.values().filter(|set| fates.get(**set).is_some_and(is)).count();
    let mut report = Report {
        announced: table.announced,
        withdrawn: table.withdrawn,
        prefixes: table.routes.len(),
        sets: table.sets.len(),
        not_advertised: count(|fate| matches!(fate, Fate::NotAdvertised)),
        treated_as_withdrawn: count(|fate| matches!(fate, Fate::TreatedAsWithdrawn)),
        without_aggregator: count(|fate| matches!(fate, Fate::LosesAggregator(_))),
        bird: Comparison::default(),
        kernel: Comparison::default(),
    };
    let expected = arriving(&table, &fates);
    (report.bird.expected, report.kernel.expected) = (expected, expected);
    settle(report.bird.expected, || bird_count(bird_peer.as_mut()));
    report.bird.took = start.elapsed();
    settle(report.kernel.expected, || kernel_routes(speaker, &mut |_, _| ()));
    report.kernel.took = start.elapsed();

    compare_bird(bird, &table, &fates, &mut report.bird)?;
    compare_kernel(speaker, &table, &fates, &igp, &mut report.kernel)?;
    Ok(report)
}

/// How many routes of a recording this project's reflector passes on.
pub(crate) fn passed_on(recording: &Recording, reflector: &Node) -> Result<usize> {
    let table = recording.table()?;
    let cast = Cast { reflector: Software::RouteReflector, speaker: Software::Speaker };
    Ok(arriving(&table, &fates(&table, recording, reflector, cast)?))
}

fn arriving(table: &Table, fates: &[Fate]) -> usize {
    table.routes.values().filter(|set| fate(fates, **set).is_some()).count()
}

/// What becomes of each attribute list at a receiver.
fn fates(table: &Table, recording: &Recording, reflector: &Node, cast: Cast) -> Result<Vec<Fate>> {
    let std::net::IpAddr::V4(cluster) = reflector.v4() else { return Ok(Vec::new()) };
    let refuses_as_zero = cast.reflector == Software::RouteReflector;
    let fate = |attributes: &Vec<_>| {
        let expected = Expected::new(attributes);
        expected.map(|expected| expected.reflected(recording.address, cluster, refuses_as_zero))
    };
    let fates = table.sets.iter().map(fate).collect::<Option<_>>();
    fates.ok_or_else(|| crate::Error::parse("UPDATE", "an attribute's value"))
}

fn fate(fates: &[Fate], set: usize) -> Option<&Expected> {
    fates.get(set)?.expected()
}

/// How the speaker's network reaches the recorded next hops: one half by host routes over a hundred gateways, the other
/// half by the default route. No packet is ever sent, so the gateways need not exist.
struct Igp(HashMap<String, String>);

impl Igp {
    const DEFAULT: &str = "10.9.0.250";

    fn new(fates: &[Fate]) -> Igp {
        let mut next_hops: Vec<&str> =
            fates.iter().filter_map(|fate| Some(fate.expected()?.route.next_hop.as_str())).collect();
        next_hops.sort_unstable();
        next_hops.dedup();
        let host_routes = next_hops.iter().enumerate().filter(|(number, _)| number % 2 == 0);
        Igp(host_routes
            .map(|(n, hop)| ((*hop).to_owned(), format!("10.9.0.{}", 100 + n / 2 % 100)))
            .collect())
    }

    fn gateway(&self, next_hop: &str) -> &str {
        self.0.get(next_hop).map_or(Igp::DEFAULT, String::as_str)
    }

    fn routes(&self) -> impl Iterator<Item = (String, String)> {
        let hosts = self.0.iter().map(|(next_hop, gateway)| (format!("{next_hop}/32"), gateway.clone()));
        hosts.chain([("0.0.0.0/0".to_owned(), Igp::DEFAULT.to_owned())])
    }

    fn install(&self, node: &Node) -> Result<()> {
        let lines: String =
            self.routes().map(|(to, via)| format!("route add {to} via {via} proto static\n")).collect();
        node.ip_batch(&lines)
    }
}

/// Waits until `count` reaches `wanted`, at most 10 minutes, or until nothing has moved for 30 s: then the comparison tells.
fn settle(wanted: usize, mut count: impl FnMut() -> Result<usize>) {
    let (mut last, mut moved) = (0, Instant::now());
    let end = moved + Duration::from_secs(600);
    while Instant::now() < end && moved.elapsed() < Duration::from_secs(30) {
        let seen = count().unwrap_or_default();
        if seen == wanted {
            return;
        }
        if seen != last {
            (last, moved) = (seen, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// `577737 of 577737 routes for 577737 networks in table master4`
pub(crate) fn bird_count(bird: &mut dyn Peer) -> Result<usize> {
    let text = bird.command(&["show", "route", "primary", "where", "source", "=", "RTS_BGP", "count"])?;
    let line = text.lines().find(|line| line.contains(" routes for ") && line.ends_with("master4"));
    let number = line.and_then(|line| line.split(' ').next()?.parse().ok());
    number.ok_or_else(|| crate::Error::parse("birdc show route count", text))
}

fn compare_bird(node: &Node, table: &Table, fates: &[Fate], comparison: &mut Comparison) -> Result<()> {
    let control = node.dir().join("bird.ctl").display().to_string();
    crate::peer::read_routes(&control, &mut |seen| {
        let mut route = seen.route.sorted();
        let prefix = std::mem::take(&mut route.prefix);
        let mut others = seen.others;
        others.sort();
        let expected = parse_prefix(&prefix)
            .and_then(|prefix| table.routes.get(&prefix))
            .and_then(|set| fate(fates, *set));
        let equal = expected.is_some_and(|expected| expected.route == route && expected.others == others);
        comparison.count(equal, || match expected {
            Some(expected) => {
                format!("{prefix}: expected {expected:?}\n  {prefix}: seen     {route:?} {others:?}")
            }
            None => format!("{prefix}: not in the recording"),
        });
    })
}

fn compare_kernel(
    node: &Node,
    table: &Table,
    fates: &[Fate],
    igp: &Igp,
    comparison: &mut Comparison,
) -> Result<()> {
    kernel_routes(node, &mut |prefix, gateway| {
        let set = parse_prefix(prefix).and_then(|prefix| table.routes.get(&prefix));
        let expected =
            set.and_then(|set| fate(fates, *set)).map(|expected| igp.gateway(&expected.route.next_hop));
        comparison
            .count(expected == Some(gateway), || format!("{prefix}: expected {expected:?}, seen {gateway}"));
    })
    .map(drop)
}

/// The gateway routes that a routing daemon installed, in `ip`'s plain text: a full table as JSON would take a gigabyte.
pub(crate) fn kernel_routes(node: &Node, each: &mut dyn FnMut(&str, &str)) -> Result<usize> {
    let text = crate::command::run("ip", &["-n", node.namespace(), "-4", "route", "show"])?;
    let mut count = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |key: &str| {
            let at = words.iter().position(|word| *word == key)?;
            words.get(at + 1).copied()
        };
        let (Some(prefix), Some(gateway), Some(proto)) = (words.first(), after("via"), after("proto")) else {
            continue;
        };
        if proto != "static" && proto != "kernel" {
            count += 1;
            each(prefix, gateway);
        }
    }
    Ok(count)
}

/// `10.0.0.0/8`, `10.0.0.1` or `default`.
fn parse_prefix(text: &str) -> Option<(Ipv4Addr, u8)> {
    if text == "default" {
        return Some((Ipv4Addr::UNSPECIFIED, 0));
    }
    match text.split_once('/') {
        Some((address, len)) => Some((address.parse().ok()?, len.parse().ok()?)),
        None => Some((text.parse().ok()?, 32)),
    }
}
