use crate::{Error, Result, Software, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// `network.toml`: what there is, and what runs where.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    pub(super) nodes: Vec<NodeSpec>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

/// A namespace.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeSpec {
    pub(super) name: String,
    /// `route-reflector`, `bgp-speaker`, `bird`, `frr`, `gobgp`, `openbgpd` or `exabgp`; nothing: a host.
    #[serde(default)]
    pub(super) runs: Option<String>,
    /// Its file in the same directory.
    #[serde(default)]
    pub(super) config: Option<String>,
    /// With their lengths, on `lo`.
    #[serde(default)]
    pub(super) loopback: Vec<String>,
    /// Each with a namespace of its own behind the node, as a CNI plugin sets it up.
    #[serde(default)]
    pub(super) pods: Vec<String>,
    /// Run in the namespace before the router starts: static routes, sysctls.
    #[serde(default)]
    pub(super) before: Vec<String>,
    /// Run in the namespace once the router answers: what its configuration has no place for.
    #[serde(default)]
    pub(super) after: Vec<String>,
}

/// A cable between two nodes, or a bridge between more.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    /// Node to its addresses there, which may be none: every interface has a link-local one. Interfaces are `eth0`, `eth1`, … in
    /// the order of the links.
    pub(super) ends: BTreeMap<String, Vec<String>>,
}

impl Network {
    pub(super) fn read(dir: &Path) -> Result<Network> {
        let path = dir.join("network.toml");
        let text =
            std::fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
        let network: Network =
            toml::from_str(&text).map_err(|error| Error::NotSo(format!("{}: {error}", path.display())))?;
        network.check().map_err(|error| Error::NotSo(format!("{}: {error}", path.display())))?;
        Ok(network)
    }

    fn check(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        for node in &self.nodes {
            ensure(names.insert(node.name.as_str()), || format!("two nodes are named {}", node.name))?;
            node.software()?;
            ensure(node.runs.is_some() == node.config.is_some(), || {
                format!("{}: `runs` and `config` belong together", node.name)
            })?;
        }
        for link in &self.links {
            ensure(link.ends.len() >= 2, || "a link needs two ends".to_owned())?;
            let unknown = link.ends.keys().find(|name| !names.contains(name.as_str()));
            ensure(unknown.is_none(), || format!("a link ends at {unknown:?}, which is no node"))?;
        }
        Ok(())
    }
}

impl NodeSpec {
    pub(super) fn software(&self) -> Result<Option<Software>> {
        let Some(runs) = &self.runs else { return Ok(None) };
        let software = Software::named(runs);
        ensure(software.is_some(), || format!("{}: `runs = {runs:?}`: no such router", self.name))?;
        Ok(software)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<()> {
        toml::from_str::<Network>(text).unwrap().check()
    }

    #[test]
    fn mistakes_are_told_before_anything_is_built() {
        let node = "[[nodes]]\nname = \"a\"\n";
        assert!(read(&format!("{node}{node}")).unwrap_err().to_string().contains("two nodes are named a"));
        assert!(
            read(&format!("{node}runs = \"quagga\"\n")).unwrap_err().to_string().contains("no such router")
        );
        let link = "[[links]]\nends = { a = [], b = [] }\n";
        assert!(read(&format!("{node}{link}")).unwrap_err().to_string().contains("which is no node"));
        assert!(read(&format!("{node}[[nodes]]\nname = \"b\"\n{link}")).is_ok());
    }
}
