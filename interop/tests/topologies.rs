//! The networks of `examples/`: each does what its page says, and its files are good configurations.

#![cfg(test)]

use interop::{Error, Program, Result, SeenRoute, Software, Topology, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
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

/// An attribute's value of the only route that a router has to a prefix.
fn route(topology: &mut Topology, node: &str, prefix: &str) -> Result<SeenRoute> {
    let routes = topology.router(node)?.routes()?;
    let found = routes.into_iter().find(|route| route.prefix == prefix);
    found.ok_or_else(|| Error::NotSo(format!("{node} has no route to {prefix}")))
}

#[test]
fn redundant_reflectors() -> Result<()> {
    let mut cluster = Topology::start("redundant-reflectors")?;
    cluster.net().eventually("all pods reach each other", || cluster.all_pods_ping())?;
    // n1 and n2 hear of n3 by rr2 alone, and one reflector less is no loss to them.
    cluster.router("rr1")?.command(&["drain"])?;
    cluster.router("rr1")?.stop(Duration::from_secs(10))?;
    expect_learned(&cluster, "n3", &["10.42.1.0/26", "10.42.2.0/26"])?;
    expect_learned(&cluster, "n1", &["10.42.2.0/26", "10.42.3.0/26"])
}

/// A reflector's own restart is over.
fn told_all(topology: &mut Topology, name: &str) -> Result<()> {
    let net = topology.net().clone();
    interop::has_told_all(&net, topology.router(name)?)
}

#[test]
fn shared_cluster() -> Result<()> {
    let mut cluster = Topology::start("shared-cluster")?;
    let net = cluster.net().clone();
    net.eventually("all pods reach each other", || cluster.all_pods_ping())?;
    for reflector in ["rr1", "rr2"] {
        told_all(&mut cluster, reflector)?;
    }
    // Right so far: all clients are those of both.
    let quiet = |cluster: &mut Topology| {
        let said = cluster.router("rr1")?.log() + &cluster.router("rr2")?.log();
        ensure(!said.contains("has our cluster id"), || said)
    };
    interop::holds_for(Duration::from_secs(6), || quiet(&mut cluster))?;

    cluster.run_instead("n1", Software::Speaker, "n1-only-rr1.toml")?;
    cluster.run_instead("n3", Software::Speaker, "n3-only-rr2.toml")?;
    // The reflectors know n1 and n3 as clients of theirs; who has just been started does not.
    for reflector in ["rr1", "rr2"] {
        cluster.run(reflector)?;
    }
    for (reflector, other, lost) in [("rr1", "10.0.0.2", "10.0.0.13"), ("rr2", "10.0.0.1", "10.0.0.11")] {
        let said =
            format!("the reflector {other} has our cluster id 10.0.0.100, but {lost} is not our client");
        net.eventually(&format!("{reflector} warns"), || {
            let status = cluster.router(reflector)?.command(&["status"])?;
            let log = cluster.router(reflector)?.log();
            ensure(status.contains(&said) && log.contains(&said), || status)
        })?;
    }
    net.eventually("n1 has lost n3", || {
        let seen = learned(&cluster, "n1")?;
        ensure(seen == ["10.42.2.0/26"], || format!("{seen:?}"))
    })
}

#[test]
fn hierarchical_reflectors() -> Result<()> {
    let mut racks = Topology::start("hierarchical-reflectors")?;
    let net = racks.net().clone();
    net.eventually("all pods reach each other", || racks.all_pods_ping())?;
    let seen = route(&mut racks, "n1", "10.42.3.0/26")?;
    let expected = SeenRoute::internal("10.42.3.0/26", "10.0.0.13");
    let expected =
        expected.reflected("10.0.0.13", "10.0.0.3").reflected("", "10.0.0.1").reflected("", "10.0.0.2");
    ensure(seen == expected, || format!("{seen}, not {expected}"))
}

#[test]
fn every_example_holds_good_configurations() -> Result<()> {
    for dir in examples()? {
        let files = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
        for file in files.filter(|path| path.extension().is_some_and(|ext| ext == "toml")) {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let program = match text.lines().next() {
                Some("# route-reflector") => Program::RouteReflector,
                Some("# bgp-speaker") => Program::Speaker,
                _ => continue,
            };
            let output = Command::new(program.path()?).arg("--check").arg("--config").arg(&file).output();
            let output = output.map_err(|error| Error::NotSo(format!("{}: {error}", file.display())))?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure(output.status.success() && !said.contains("warning"), || {
                format!("{}: {said}", file.display())
            })?;
        }
    }
    Ok(())
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
