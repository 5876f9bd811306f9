//! FRR's bgpd alone: without zebra every next hop counts as reachable, and there is no FIB.

use std::fmt::Write;
use std::path::Path;

use super::{ADDRESS, Launch, PORT, Setup};
use crate::session::ASN;

pub(super) fn launch(setup: &Setup, scratch: &Path) -> Launch {
    let (hold, keepalive, directory) = (setup.hold_time, setup.hold_time / 3, scratch.display());
    // The default of coalesce-time holds back the first announcements by 1 s and 50 ms for each peer.
    let mut text = format!(
        "frr defaults traditional
log stdout errors
router bgp {ASN}
 bgp router-id {ADDRESS}
 bgp cluster-id {ADDRESS}
 no bgp default ipv4-unicast
 no bgp network import-check
 coalesce-time 100
 timers bgp {keepalive} {hold}
 neighbor C peer-group
 neighbor C remote-as {ASN}
 neighbor C passive
"
    );
    for client in &setup.clients {
        let _ = writeln!(text, " neighbor {} peer-group C", client.address);
    }
    for family in ["ipv4", "ipv6"] {
        let _ = writeln!(text, " address-family {family} unicast\n  neighbor C activate");
        let _ = writeln!(text, "  neighbor C route-reflector-client");
        for client in setup.clients.iter().filter(|_| family == "ipv4") {
            if let Some(limit) = client.max_prefix {
                let _ = writeln!(text, "  neighbor {} maximum-prefix {limit}", client.address);
            }
        }
        let _ = writeln!(text, " exit-address-family");
    }
    let arguments = format!(
        "-n -Z -S -f {directory}/bgpd.conf -i {directory}/bgpd.pid -l {ADDRESS} -p {PORT} -P 0 --vty_socket {directory}"
    );
    Launch { file: ("bgpd.conf", text), arguments: arguments.split(' ').map(str::to_owned).collect() }
}
