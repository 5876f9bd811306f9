//! The networks of `examples/`: each does what its page says, and its files are good configurations.

#![cfg(test)]

use interop::{Error, Result, Topology, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Prefixes that a node's kernel has by way of others, sorted.
fn learned(topology: &Topology, node: &str) -> Result<Vec<String>> {
    let routes = topology.node(node)?.routes()?.into_iter();
    let learned = routes.filter(|route| route.protocol == "bgp" && route.kind == "unicast");
    let mut prefixes: Vec<String> = learned.map(|route| route.prefix).collect();
    prefixes.sort();
    Ok(prefixes)
}

fn expect_learned(topology: &Topology, node: &str, expected: &[&str]) -> Result<()> {
    topology.net().eventually(&format!("{node} has the routes"), || {
        let seen = learned(topology, node)?;
        ensure(seen == expected, || format!("{node} has {seen:?}, not {expected:?}"))
    })
}

#[test]
fn full_mesh() -> Result<()> {
    let mut mesh = Topology::start("full-mesh")?;
    mesh.net().eventually("all pods reach each other", || mesh.all_pods_ping())?;
    expect_learned(&mesh, "n1", &["10.42.2.0/26", "10.42.3.0/26"])?;
    // A stop keeps the routes of others in its kernel and has the others keep its own; a drain ends that.
    mesh.router("n3")?.command(&["drain"])?;
    mesh.router("n3")?.stop(Duration::from_secs(10))?;
    mesh.ping("10.42.1.2", "10.42.2.2")
}

#[test]
fn one_reflector() -> Result<()> {
    let cluster = Topology::start("reflector")?;
    cluster.net().eventually("all pods reach each other", || cluster.all_pods_ping())?;
    expect_learned(&cluster, "n1", &["10.42.2.0/26", "10.42.3.0/26"])
}

/// The directories with a network.
fn examples() -> Result<Vec<PathBuf>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let entries =
        std::fs::read_dir(&dir).map_err(|error| Error::NotSo(format!("{}: {error}", dir.display())))?;
    let dirs = entries.flatten().map(|entry| entry.path()).filter(|path| path.join("network.toml").is_file());
    Ok(dirs.collect())
}

#[test]
fn every_example_has_a_page_with_its_command() -> Result<()> {
    for dir in examples()? {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let page = std::fs::read_to_string(dir.join("README.md")).unwrap_or_default();
        ensure(page.contains(&format!("examples/run {name}")), || {
            format!("examples/{name}/README.md: how is it run?")
        })?;
    }
    Ok(())
}
