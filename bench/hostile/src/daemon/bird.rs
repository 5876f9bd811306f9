//! BIRD 2. No kernel protocol, so no FIB; next hops resolve over a static table.

use std::fmt::Write;
use std::path::Path;

use super::{ADDRESS, Launch, PORT, Setup};
use crate::session::ASN;

pub(super) fn launch(setup: &Setup, scratch: &Path) -> Launch {
    let (hold, directory) = (setup.hold_time, scratch.display());
    let mut text = format!(
        "router id {ADDRESS};
log stderr {{ warning, error, fatal, bug }};
ipv4 table igp4;
ipv6 table igp6;
protocol device {{ scan time 3600; }}
protocol static {{ ipv4 {{ table igp4; }}; route 10.0.0.0/8 via \"lo\"; }}
template bgp reflected {{
  local {ADDRESS} port {PORT} as {ASN};
  multihop;
  passive;
  hold time {hold};
  connect delay time 1;
  error wait time 1, 1;
  error forget time 1;
  rr client;
  rr cluster id {ADDRESS};
  ipv4 {{ import all; export all; igp table igp4; }};
  ipv6 {{ import all; export all; igp table igp6; }};
}}
"
    );
    for (index, client) in setup.clients.iter().enumerate() {
        let limit =
            client.max_prefix.map(|limit| format!(" ipv4 {{ import limit {limit} action restart; }};"));
        let (address, limit) = (client.address, limit.unwrap_or_default());
        let _ =
            writeln!(text, "protocol bgp p{index} from reflected {{ neighbor {address} as {ASN};{limit} }}");
    }
    let arguments = ["-f", "-c", "bird.conf", "-s", "bird.ctl", "-P", "bird.pid"];
    let arguments = arguments.map(|word| match word.starts_with('-') {
        true => word.to_owned(),
        false => format!("{directory}/{word}"),
    });
    Launch { file: ("bird.conf", text), arguments: arguments.to_vec() }
}
