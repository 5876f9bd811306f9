//! What each command does.

use std::path::Path;
use std::time::Duration;

use bgp_core::Prefix;
use bgp_daemon::api::schema::{
    Announced, Bfd, BfdRow, DrainRequest, Drained, EffectiveConfig, Explain, ExplainQuery, Fib, FibDiff,
    Peer, PeerActionDone, PeerActionRequest, PeerRef, Peers, PrefixesRequest, RefreshDirection, ReloadReport,
    Routes, SessionState, Status, Topic, TunnelState, Tunnels, percent_encode,
};
use bgp_daemon::config::{Config, DaemonKind, Diagnostic, Severity};

use crate::args::{Action, Args, Command, ConfigCommand, Direction, FibCommand, RoutesArgs, WatchTopic};
use crate::client::Client;
use crate::error::{CliError, Exit};
use crate::options::{Output, line, print};
use crate::{show, socket, wait};

type Outcome = Result<Exit, CliError>;

/// Runs the command to its exit code.
pub(crate) async fn run(args: Args) -> Outcome {
    let Args { socket, output, command } = args;
    let client = || socket::find(socket.clone()).map(Client::new);
    match command {
        Command::Status => {
            output.whole(&client()?.get::<Status>("/v1/status").await?, show::status)?;
            Ok(Exit::Fine)
        }
        Command::Peers { down, group } => peers(&client()?, &output, down, group).await,
        Command::Peer { peer, history, action: None } => one_peer(&client()?, &output, &peer, history).await,
        Command::Peer { peer, action: Some(action), .. } => act(&client()?, &output, &peer, action).await,
        Command::Routes(which) => routes(&client()?, &output, &which).await,
        Command::Explain { prefix, to } => explain(&client()?, &output, prefix, to.as_deref()).await,
        Command::Fib { command: None } => {
            output.whole(&client()?.get::<Fib>("/v1/fib").await?, show::fib)?;
            Ok(Exit::Fine)
        }
        Command::Fib { command: Some(FibCommand::Diff) } => fib_diff(&client()?, &output).await,
        Command::Tunnels => tunnels(&client()?, &output).await,
        Command::Bfd => bfd(&client()?, &output).await,
        Command::Watch { topic } => watch(&client()?, &output, topic).await,
        Command::Dump { file } => dump(&client()?, &file).await,
        Command::Wait(condition) => {
            let peers = wait::wait(&client()?, &condition).await?;
            if !output.is_json() {
                output.table(&show::peers(&peers, output.is_wide()))?;
            }
            Ok(Exit::Fine)
        }
        Command::Announce { prefixes } => change(&client()?, &output, "announce", prefixes).await,
        Command::Withdraw { prefixes } => change(&client()?, &output, "withdraw", prefixes).await,
        Command::Drain { undo, reason, wait } => {
            drain(&client()?, &output, DrainRequest { undo, reason }, wait).await
        }
        Command::Reload => {
            let report = client()?.post::<ReloadReport>("/v1/reload", &serde_json::json!({})).await?;
            report.body.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            output.whole(&report, show::reload)?;
            Ok(Exit::Fine)
        }
        Command::Config(ConfigCommand::Show { .. }) => {
            let config = client()?.get::<EffectiveConfig>("/v1/config").await?;
            output.whole(&config, |config| config.effective.clone())?;
            Ok(Exit::Fine)
        }
        Command::Config(ConfigCommand::Check { file, speaker, reflector }) => {
            check(&file, speaker, reflector)
        }
        Command::Decode(args) => crate::decode::decode(&output, &args),
    }
}

async fn peers(client: &Client, output: &Output, down: bool, group: Option<String>) -> Outcome {
    let mut document = client.get::<Peers>("/v1/peers").await?;
    if down {
        document.body.peers.retain(|peer| peer.state != SessionState::Established);
    }
    if group.is_some() {
        document.body.peers.retain(|peer| peer.group == group);
    }
    output.rows(&document, |body| &body.peers, |body| show::peers(&body.peers, output.is_wide()))?;
    Ok(Exit::Fine)
}

async fn one_peer(client: &Client, output: &Output, peer: &str, history: bool) -> Outcome {
    let document = client.get::<Peer>(&format!("/v1/peers/{}", percent_encode(peer))).await?;
    if history {
        let rows = |body: &Peer| show::history(&body.peer);
        output.rows(&document, |body| &body.peer.history, rows)?;
    } else {
        output.whole(&document, |body| show::peer(&body.peer))?;
    }
    Ok(Exit::Fine)
}

/// With `--to` the exit code tells whether the peer is sent the route.
async fn explain(client: &Client, output: &Output, prefix: Prefix, to: Option<&str>) -> Outcome {
    let query = ExplainQuery { prefix, to: to.map(PeerRef::from) };
    let document = client.get::<Explain>(&format!("/v1/explain?{}", query.to_query_string())).await?;
    output.whole(&document, show::explain)?;
    let goes_out = document.body.export.as_ref().is_some_and(|export| export.advertised);
    Ok(if to.is_none() || goes_out { Exit::Fine } else { Exit::False })
}

async fn drain(client: &Client, output: &Output, request: DrainRequest, wait: Option<Duration>) -> Outcome {
    let drained = client.post::<Drained>("/v1/drain", &request).await?;
    tokio::time::sleep(wait.unwrap_or_default()).await;
    output.whole(&drained, show::drained)?;
    Ok(Exit::Fine)
}

async fn act(client: &Client, output: &Output, peer: &str, action: Action) -> Outcome {
    let mut request = PeerActionRequest::default();
    let action = match action {
        Action::Up => "up",
        Action::Down { reason } => {
            request.reason = reason;
            "down"
        }
        Action::Refresh { direction } => {
            request.direction = direction.map(|direction| match direction {
                Direction::In => RefreshDirection::In,
                Direction::Out => RefreshDirection::Out,
            });
            "refresh"
        }
        Action::Reset { reason } => {
            request.reason = reason;
            "reset"
        }
    };
    let path = format!("/v1/peers/{}/{action}", percent_encode(peer));
    let done = client.post::<PeerActionDone>(&path, &request).await?;
    output.whole(&done, |done| format!("{} {}\n", done.peer, done.action))?;
    Ok(Exit::Fine)
}

async fn routes(client: &Client, output: &Output, which: &RoutesArgs) -> Outcome {
    let query = which.query().map_err(CliError::Usage)?;
    let document = client.get::<Routes>(&format!("/v1/routes?{}", query.to_query_string())).await?;
    let Routes { routes, total } = &document.body;
    if query.count && !output.is_json() {
        line(&total.to_string())?;
    } else {
        output.rows(&document, |body| &body.routes, |body| show::routes(&body.routes, output.is_wide()))?;
        if !query.count && (routes.len() as u64) < *total {
            eprintln!("{} of {total} routes; --limit shows more", routes.len());
        }
    }
    Ok(if *total == 0 { Exit::False } else { Exit::Fine })
}

async fn fib_diff(client: &Client, output: &Output) -> Outcome {
    let document = client.get::<FibDiff>("/v1/fib/diff").await?;
    let FibDiff { routes, in_sync } = &document.body;
    if routes.is_empty() && !output.is_json() {
        line(&format!("no difference: {in_sync} routes agree"))?;
    } else {
        output.rows(&document, |body| &body.routes, |body| show::fib_diff(&body.routes))?;
    }
    Ok(if routes.is_empty() { Exit::Fine } else { Exit::False })
}

async fn tunnels(client: &Client, output: &Output) -> Outcome {
    let document = client.get::<Tunnels>("/v1/tunnels").await?;
    let Tunnels { tunnels, pools, filter_problem, .. } = &document.body;
    if output.is_json() {
        output.rows(&document, |body| &body.tunnels, |body| show::tunnels(&body.tunnels))?;
    } else if pools.is_empty() {
        line("no tunnels: there are no [[pools]]")?;
    } else {
        if !tunnels.is_empty() {
            output.table(&show::tunnels(tunnels))?;
            line("")?;
        }
        output.table(&show::pools(pools))?;
        filter_problem.iter().try_for_each(|problem| line(&format!("\npacket filter: {problem}")))?;
    }
    let is_up = tunnels.iter().all(|tunnel| tunnel.state == TunnelState::Up) && filter_problem.is_none();
    Ok(if is_up { Exit::Fine } else { Exit::False })
}

async fn bfd(client: &Client, output: &Output) -> Outcome {
    let document = client.get::<Bfd>("/v1/bfd").await?;
    let sessions = &document.body.sessions;
    if sessions.is_empty() && !output.is_json() {
        line("no peer has `bfd`")?;
    } else {
        output.rows(&document, |body| &body.sessions, |body| show::bfd(&body.sessions, output.is_wide()))?;
    }
    let is_fine = |row: &BfdRow| matches!(row.state.as_str(), "up" | "admin-down");
    Ok(if sessions.iter().all(is_fine) { Exit::Fine } else { Exit::False })
}

async fn watch(client: &Client, output: &Output, topic: WatchTopic) -> Outcome {
    let topic = match topic {
        WatchTopic::Peers => Topic::Peers,
        WatchTopic::Routes => Topic::Routes,
        WatchTopic::All => Topic::All,
    };
    let mut events = client.events(topic).await?;
    // Not an event, so not among them: whoever waits for this line misses none.
    if !output.is_json() {
        eprintln!("watching");
    }
    while let Some(event) = events.next().await? {
        line(&if output.is_json() { serde_json::to_string(&event)? } else { show::event(&event) })?;
    }
    Ok(Exit::Fine)
}

/// Under another name first: a file with the right one is whole.
async fn dump(client: &Client, file: &Path) -> Outcome {
    if file == Path::new("-") {
        client.dump(std::io::stdout().lock()).await?;
        return Ok(Exit::Fine);
    }
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = Path::new(&unfinished);
    let writer = std::fs::File::create(unfinished)?;
    let written = client.dump(std::io::BufWriter::new(writer)).await;
    let named =
        written.and_then(|octets| std::fs::rename(unfinished, file).map(|()| octets).map_err(CliError::from));
    match named {
        Ok(octets) => {
            eprintln!("{octets} octets");
            Ok(Exit::Fine)
        }
        Err(error) => {
            let _ = std::fs::remove_file(unfinished);
            Err(error)
        }
    }
}

async fn change(client: &Client, output: &Output, verb: &str, prefixes: Vec<Prefix>) -> Outcome {
    let asked = prefixes.len();
    let done = client.post::<Announced>(&format!("/v1/{verb}"), &PrefixesRequest { prefixes }).await?;
    let past = if verb == "announce" { "announced" } else { "withdrawn" };
    output.whole(&done, |done| format!("{} of {asked} prefixes {past}\n", done.changed))?;
    Ok(Exit::Fine)
}

/// Checks a file as the named daemon reads it, or as the one it looks made for.
fn check(file: &Path, speaker: bool, reflector: bool) -> Outcome {
    let daemon = match (speaker, reflector) {
        (true, _) => DaemonKind::Speaker,
        (_, true) => DaemonKind::Reflector,
        _ => guess(file),
    };
    let show = |found: &[Diagnostic]| {
        found.iter().map(|diagnostic| diagnostic.to_string() + "\n").collect::<Vec<_>>().join("\n")
    };
    match Config::load(file, daemon) {
        Ok(config) => {
            eprint!("{}", show(&config.warnings));
            print(&format!("{}: a good configuration for {}\n", file.display(), daemon.name()))?;
            Ok(Exit::Fine)
        }
        Err(errors) => {
            let count = errors.iter().filter(|error| error.severity == Severity::Error).count();
            let plural = if count == 1 { "" } else { "s" };
            let sum = format!("\nerror: {} has {count} error{plural} for {}", file.display(), daemon.name());
            Err(CliError::InvalidConfig(show(&errors) + &sum))
        }
    }
}

/// The daemon that accepts the file; if none does, the one that finds less wrong with it.
fn guess(file: &Path) -> DaemonKind {
    let wrong = |daemon| Config::load(file, daemon).err().map_or(0, |errors| errors.len());
    let speaker_by_name = file.to_string_lossy().contains("speaker");
    match wrong(DaemonKind::Speaker).cmp(&wrong(DaemonKind::Reflector)) {
        std::cmp::Ordering::Less => DaemonKind::Speaker,
        std::cmp::Ordering::Equal if speaker_by_name => DaemonKind::Speaker,
        _ => DaemonKind::Reflector,
    }
}
