//! What becomes of packets on their way.

use super::Scene;
use crate::command::output;
use crate::{Result, ensure};
use std::time::{Duration, Instant};

/// One packet in ten is lost, each way.
const LOSS: &str = "add table inet loss\n\
    add chain inet loss in { type filter hook input priority 0; }\n\
    add chain inet loss out { type filter hook output priority 0; }\n\
    add rule inet loss in iifname eth0 numgen random mod 10 == 0 drop\n\
    add rule inet loss out oifname eth0 numgen random mod 10 == 0 drop\n";
/// What each router's packets go through on a slow and bad link. A flipped bit is found by a checksum: the packet is lost.
const NETEM: &str = "netem delay 50ms 20ms reorder 25% duplicate 1% corrupt 1%";
pub(super) const NO_NETEM: &str = "this kernel has no netem, another one does: \
    interop/vm/run -t 600 target/ci/strain --seconds 20 delay";

pub(super) fn cut(scene: &mut Scene<'_>) -> Result<String> {
    let rig = &mut scene.rig;
    let [first, _] = &rig.speakers;
    first.node.ip_batch("link set eth0 down\n")?;
    crate::holds_for(Duration::from_secs(3), || Ok(()))?;
    first.node.ip_batch("link set eth0 up\n")?;
    let (since, sent) = (Instant::now(), rig.pings.traffic()?.sent);
    rig.net.eventually("pings pass again", || ensure(rig.pings.traffic()?.sent > sent, || "not yet"))?;
    Ok(format!("pings pass {} ms after the link is back", since.elapsed().as_millis()))
}

pub(super) fn loss(scene: &mut Scene<'_>) -> Result<String> {
    let node = scene.rig.reflector.node.clone();
    let file = node.write("loss.nft", LOSS)?.display().to_string();
    node.run(&["nft", "-f", &file])?;
    let note = scene.tables(3)?;
    node.run(&["nft", "delete", "table", "inet", "loss"])?;
    Ok(note)
}

/// Whether the kernel can delay packets.
pub(super) fn has_netem() -> bool {
    let tried =
        output("unshare", &["-n", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]);
    tried.is_ok_and(|tried| tried.status.success())
}

/// Both ways between the reflector and all who have sessions with it.
pub(super) fn delay(scene: &mut Scene<'_>) -> Result<String> {
    let rig = &scene.rig;
    let [first, second] = &rig.speakers;
    let nodes = [&rig.reflector.node, &rig.bird.node, &first.node, &second.node, &rig.feed].map(Clone::clone);
    let words: Vec<&str> = NETEM.split(' ').collect();
    for node in &nodes {
        node.run(&[&["tc", "qdisc", "add", "dev", "eth0", "root"], words.as_slice()].concat())?;
    }
    // Each takes some seconds, there and back.
    let note = scene.tables(1 + scene.time.as_secs() / 10)?;
    for node in &nodes {
        node.run(&["tc", "qdisc", "del", "dev", "eth0", "root"])?;
    }
    Ok(note)
}
