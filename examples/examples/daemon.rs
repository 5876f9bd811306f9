//! `bgp-daemon` in a program of one's own: a route reflector on loopback that prints its peers when one changes.
//!
//! ```text
//! cargo run -p examples --example daemon
//! ```
//! Any iBGP speaker of AS 64512 with an address in 127.0.0.0/8 may connect to port 1179. Ctrl-C ends it.

use bgp_daemon::api::Command;
use bgp_daemon::api::schema::Topic;
use bgp_daemon::config::{Config, DaemonKind};
use bgp_daemon::runtime::{Daemon, Options};

const CONFIG: &str = r#"
asn = 64512
router-id = "192.0.2.1"
listen = ["127.0.0.1:1179"]
[[clients]]
range = "127.0.0.0/8"
[api]
socket = "/tmp/bgp-example.sock"
listen = ""
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::parse(CONFIG, "example", DaemonKind::Reflector)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let daemon = Daemon::start(config, Options::default()).await?;
    let mut events = daemon.control().events().watch(Topic::Peers);
    println!("listening on 127.0.0.1:1179");
    loop {
        tokio::select! {
            _ = events.next() => {}
            end = tokio::signal::ctrl_c() => break end?,
        }
        for peer in daemon.control().ask(Command::Peers).await? {
            let routes: u64 = peer.families.iter().map(|family| family.accepted).sum();
            println!("{} AS {} {}, {routes} routes", peer.address, peer.asn, peer.state);
        }
    }
    daemon.stop("the example ends").await;
    Ok(())
}
