use crate::setup::join;
use crate::{Error, Result, SeenRoute};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Who sent it, the prefix, the path identifier.
type Key = (String, String, String);

/// What the neighbours have announced and not withdrawn, by ExaBGP's account of their messages.
#[derive(Debug, Default)]
pub(super) struct Table {
    up: BTreeSet<String>,
    routes: BTreeMap<Key, SeenRoute>,
}

impl Table {
    /// From the events so far, an object a line; the last line may be half written.
    pub(super) fn read(events: &str) -> Result<Table> {
        let mut table = Table::default();
        let whole = events.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines().filter(|line| line.starts_with('{')) {
            let event: Value = serde_json::from_str(line).map_err(|_| Error::parse("ExaBGP", line))?;
            table.take(&event).ok_or_else(|| Error::parse("ExaBGP", line))?;
        }
        Ok(table)
    }

    pub(super) fn is_up(&self, neighbor: IpAddr) -> bool {
        self.up.contains(&neighbor.to_string())
    }

    pub(super) fn routes(self) -> Vec<SeenRoute> {
        self.routes.into_values().collect()
    }

    /// `None` if an event is not as expected.
    fn take(&mut self, event: &Value) -> Option<()> {
        let Some(neighbor) = event.get("neighbor") else { return Some(()) };
        let peer = neighbor.get("address")?.get("peer")?.as_str()?;
        match event.get("type")?.as_str()? {
            "state" => self.state(peer, neighbor.get("state")?.as_str()?),
            "update" => {
                if let Some(update) = neighbor.get("message")?.get("update") {
                    self.update(peer, update)?;
                }
            }
            _ => {}
        }
        Some(())
    }

    fn state(&mut self, peer: &str, state: &str) {
        if state == "up" {
            self.up.insert(peer.to_owned());
        } else {
            self.up.remove(peer);
            self.routes.retain(|(from, ..), _| from != peer);
        }
    }

    fn update(&mut self, peer: &str, update: &Value) -> Option<()> {
        let families = |key: &str| {
            update.get(key).and_then(Value::as_object).into_iter().flatten().map(|(_, value)| value)
        };
        for nlri in families("withdraw").filter_map(Value::as_array).flatten() {
            self.routes.remove(&key(peer, nlri)?);
        }
        let attributes = update.get("attribute");
        for (next_hop, destinations) in families("announce").filter_map(Value::as_object).flatten() {
            for nlri in destinations.as_array()? {
                let key = key(peer, nlri)?;
                let route = read_route(&key.1, next_hop, attributes?)?;
                self.routes.insert(key, route);
            }
        }
        Some(())
    }
}

fn key(peer: &str, nlri: &Value) -> Option<Key> {
    let path = nlri.get("path-information").and_then(Value::as_str).unwrap_or_default();
    Some((peer.to_owned(), nlri.get("nlri")?.as_str()?.to_owned(), path.to_owned()))
}

fn read_route(prefix: &str, next_hop: &str, attributes: &Value) -> Option<SeenRoute> {
    let text = |key: &str| attributes.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| attributes.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let list = |key: &str| attributes.get(key).and_then(Value::as_array).into_iter().flatten();
    let tuples = |key: &str| list(key).filter_map(|tuple| Some(numbers(tuple.as_array()?, ":"))).collect();
    let path: Vec<&Value> = list("as-path").collect();
    let route = SeenRoute {
        prefix: prefix.to_owned(),
        next_hop: next_hop.to_owned(),
        origin: text("origin")?,
        as_path: path.iter().map(|asn| asn.to_string()).collect::<Vec<_>>().join(" "),
        local_pref: number("local-preference"),
        med: number("med"),
        communities: tuples("community"),
        large: tuples("large-community"),
        originator: text("originator-id"),
        cluster_list: list("cluster-list").filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    Some(route.sorted())
}

fn numbers(values: &[Value], between: &str) -> String {
    join(&values.iter().filter_map(Value::as_u64).collect::<Vec<u64>>(), between)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: &str =
        r#"{ "type": "state", "neighbor": { "address": { "peer": "10.9.0.1" }, "state": "up" } }"#;
    const ANNOUNCED: &str = r#"{ "type": "update", "neighbor": { "address": { "peer": "10.9.0.1" }, "message": { "update": { "attribute": { "origin": "igp", "as-path": [ 65001, 4200000001 ], "med": 7, "local-preference": 100, "community": [ [ 64512, 9 ] ], "originator-id": "10.9.0.2", "cluster-list": [ "10.9.0.1" ], "large-community": [ [ 64512, 1 , 2 ] ] }, "announce": { "ipv4 unicast": { "10.9.0.2": [ { "nlri": "10.42.1.0/26", "path-information": "0.0.0.3" } ] } } } } } }"#;
    const WITHDRAWN: &str = r#"{ "type": "update", "neighbor": { "address": { "peer": "10.9.0.1" }, "message": { "update": { "withdraw": { "ipv4 unicast": [ { "nlri": "10.42.1.0/26", "path-information": "0.0.0.3" } ] } } } } }"#;
    const DOWN: &str = r#"{ "type": "state", "neighbor": { "address": { "peer": "10.9.0.1" }, "state": "down", "reason": "x" } }"#;

    fn routes(lines: &[&str]) -> Vec<SeenRoute> {
        Table::read(&lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap().routes()
    }

    #[test]
    fn routes_come_and_go_with_the_messages() {
        let seen = routes(&[UP, ANNOUNCED]);
        assert_eq!(seen[0].as_path, "65001 4200000001");
        assert_eq!((seen[0].communities[0].as_str(), seen[0].large[0].as_str()), ("64512:9", "64512:1:2"));
        assert_eq!((seen[0].originator.as_deref(), seen[0].med), (Some("10.9.0.2"), Some(7)));
        assert!(routes(&[UP, ANNOUNCED, WITHDRAWN]).is_empty());
        assert!(routes(&[UP, ANNOUNCED, DOWN]).is_empty());
    }

    #[test]
    fn a_line_that_is_still_being_written_waits() {
        let table = Table::read(&format!("{UP}\n{{ \"type\"")).unwrap();
        assert!(table.is_up("10.9.0.1".parse().unwrap()));
    }
}
