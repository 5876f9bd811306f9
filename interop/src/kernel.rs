use crate::{Error, Result};
use serde_json::Value;

/// A route as the kernel holds it, from `ip -j route`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelRoute {
    /// Destination, always with its length: `10.42.1.0/26`, `0.0.0.0/0` for the default route.
    pub prefix: String,
    /// The gateways, sorted; several with ECMP, none on a connected or blackhole route.
    pub gateways: Vec<String>,
    /// Who installed it: a name of `rt_protos`, or a number.
    pub protocol: String,
    /// Route metric (priority); 0 if none.
    pub metric: u32,
    /// `unicast`, `blackhole`, …
    pub kind: String,
}

impl KernelRoute {
    /// Parses the output of `ip -j route show`.
    pub(crate) fn parse(json: &str) -> Result<Vec<KernelRoute>> {
        if json.trim().is_empty() {
            return Ok(Vec::new());
        }
        let bad = || Error::parse("ip -j route", json);
        let value: Value = serde_json::from_str(json).map_err(|_| bad())?;
        value
            .as_array()
            .ok_or_else(bad)?
            .iter()
            .map(|route| KernelRoute::from_json(route).ok_or_else(bad))
            .collect()
    }

    fn from_json(route: &Value) -> Option<KernelRoute> {
        let text = |key: &str| route.get(key).and_then(Value::as_str);
        let hops = route.get("nexthops").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let gateway = |value: &Value| {
            let via = value.get("via").and_then(|via| via.get("host"));
            value.get("gateway").or(via).and_then(Value::as_str).map(str::to_owned)
        };
        let mut gateways: Vec<String> = hops.iter().chain([route]).filter_map(gateway).collect();
        gateways.sort();
        Some(KernelRoute {
            prefix: with_length(text("dst")?, gateways.iter().any(|gateway| gateway.contains(':'))),
            gateways,
            protocol: text("protocol").unwrap_or("boot").to_owned(),
            metric: route.get("metric").and_then(Value::as_u64).unwrap_or(0).try_into().ok()?,
            kind: text("type").unwrap_or("unicast").to_owned(),
        })
    }
}

/// `ip` leaves out the length of host routes and calls the default route `default`.
fn with_length(dst: &str, ipv6_gateway: bool) -> String {
    match dst {
        "default" if ipv6_gateway => "::/0".to_owned(),
        "default" => "0.0.0.0/0".to_owned(),
        _ if dst.contains('/') => dst.to_owned(),
        _ if dst.contains(':') => format!("{dst}/128"),
        _ => format!("{dst}/32"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_routes_are_read_from_json() {
        let json = r#"[{"dst":"default","gateway":"10.9.0.254","dev":"eth0","flags":[]},
            {"type":"blackhole","dst":"10.42.1.0/26","protocol":"186","metric":1024,"flags":[]},
            {"dst":"10.42.2.1","protocol":"bird","metric":32,"nexthops":[{"gateway":"10.9.0.3"},{"gateway":"10.9.0.2"}]}]"#;
        let routes = KernelRoute::parse(json).unwrap();
        assert_eq!(routes[0].prefix, "0.0.0.0/0");
        assert_eq!((routes[1].kind.as_str(), routes[1].metric), ("blackhole", 1024));
        assert_eq!(routes[2].prefix, "10.42.2.1/32");
        assert_eq!(routes[2].gateways, ["10.9.0.2", "10.9.0.3"]);
    }
}
