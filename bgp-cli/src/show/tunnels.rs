//! Tunnel devices and pools as tables.

use bgp_daemon::api::schema::{PoolRow, TunnelRow, TunnelState};

use crate::table::{Align, Cell, GREEN, RED, Table, or_dash};

/// A line for each device.
pub(crate) fn tunnels(rows: &[TunnelRow]) -> Table {
    let titles = ["DEVICE", "KIND", "FAMILY", "LOCAL", "MTU", "STATE", "HOSTS", "PROBLEM"];
    let mut table = Table::new(titles.map(|title| (title, Align::Left)));
    for row in rows {
        let problem = row.problem.as_deref();
        // Kept for what other nodes still send.
        let problem = problem.or((!row.in_use).then_some("no routes, receives only"));
        table.row([
            row.device.as_str().into(),
            row.kind.as_str().into(),
            row.family.as_str().into(),
            or_dash(row.local),
            or_dash(row.mtu),
            state(row.state),
            row.hosts.into(),
            or_dash(problem),
        ]);
    }
    table
}

fn state(state: TunnelState) -> Cell {
    let cell = Cell::from(state.name());
    match state {
        TunnelState::Up => cell.coloured(GREEN),
        TunnelState::Failed => cell.coloured(RED),
        TunnelState::Pending => cell,
    }
}

/// A line for each pool.
pub(crate) fn pools(rows: &[PoolRow]) -> Table {
    let titles = ["POOL", "BLOCKS", "MODE", "NEXT MODE", "NAT", "OURS"];
    let mut table = Table::new(titles.map(|title| (title, Align::Left)));
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    for row in rows {
        table.row([
            row.cidr.into(),
            format!("/{}", row.block_size).into(),
            row.mode.as_str().into(),
            or_dash(row.next_mode.as_ref()),
            yes(row.nat_outgoing).into(),
            yes(row.selected).into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_tell_their_state_and_what_is_wrong() {
        let up = TunnelRow {
            device: "vxlan.bgp".to_owned(),
            kind: "vxlan".to_owned(),
            family: "ipv4".to_owned(),
            local: Some("192.0.2.5".parse().unwrap()),
            mtu: Some(1450),
            state: TunnelState::Up,
            hosts: 12,
            problem: None,
            in_use: true,
        };
        let failed = TunnelRow {
            device: "tunl0".to_owned(),
            kind: "ipip".to_owned(),
            mtu: None,
            state: TunnelState::Failed,
            problem: Some("this kernel has no ipip devices".to_owned()),
            ..up.clone()
        };
        let old = TunnelRow { device: "vxlan6.bgp".to_owned(), local: None, in_use: false, ..up.clone() };
        let expected = "\
DEVICE      KIND   FAMILY  LOCAL      MTU   STATE   HOSTS  PROBLEM
vxlan.bgp   vxlan  ipv4    192.0.2.5  1450  up      12     -
tunl0       ipip   ipv4    192.0.2.5  -     failed  12     this kernel has no ipip devices
vxlan6.bgp  vxlan  ipv4    -          1450  up      12     no routes, receives only
";
        assert_eq!(tunnels(&[up, failed, old]).render(true, false), expected);
    }

    #[test]
    fn pools_tell_the_mode_that_routes_follow_and_the_next() {
        let pool = PoolRow {
            cidr: "10.244.0.0/16".parse().unwrap(),
            block_size: 26,
            mode: "never".to_owned(),
            next_mode: Some("vxlan always".to_owned()),
            nat_outgoing: true,
            selected: false,
        };
        let expected = "\
POOL           BLOCKS  MODE   NEXT MODE     NAT  OURS
10.244.0.0/16  /26     never  vxlan always  yes  no
";
        assert_eq!(pools(&[pool]).render(true, false), expected);
    }
}
