//! From the configuration of a peer to what its parts take.

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use bgp_core::{FamilySet, RouterId};
use bgp_rib::{DecisionConfig, GroupLimits, NextHopSource, RibConfig};
use bgp_router::{AddPath, Identity, Limits, PeerSettings, RangeSettings, RestartSettings};

use super::path::PathSettings;
use crate::config::{BfdSettings, Config, DaemonKind, NextHops, PeerConfig, Selector, TcpAoKey};
use crate::net::{AoKey, Authentication, ConnectOptions, Key, KeyError, endpoint};

/// How long a TCP connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take for its OPEN (RFC 4271 section 8.2.2).
const OPEN_TIME: Duration = Duration::from_secs(240);

/// The same for the members of a range, of whom nothing is known but that they connect: until then they are one of its
/// `max-sessions`.
const MEMBERS_OPEN_TIME: Duration = Duration::from_secs(30);

/// Who we are.
pub(super) fn identity(config: &Config, router_id: RouterId) -> Identity {
    let reflects = config.daemon == DaemonKind::Reflector;
    let cluster_id = reflects.then(|| config.cluster_id(router_id));
    let confederation = config.confederation.as_ref().map(|confederation| confederation.id);
    Identity { local_as: config.asn, router_id, cluster_id, confederation }
}

/// The RIB's part.
pub(super) fn rib(config: &Config, identity: &Identity, forwards: bool, seed: u64) -> RibConfig {
    let kernel = config.fib.is_some_and(|fib| fib.enabled && fib.next_hops == NextHops::Kernel);
    RibConfig {
        decision: DecisionConfig {
            always_compare_med: config.decision.always_compare_med,
            deterministic_med: config.decision.deterministic_med,
            multipath_relax: config.decision.multipath_relax,
        },
        multipath: config.decision.multipath,
        next_hops: if kernel && forwards { NextHopSource::Tracked } else { NextHopSource::Assume },
        export: identity.export_context(),
        limits: GroupLimits::default(),
        fib: forwards,
        seed,
    }
}

/// The peer's part; `address` is its own, for the member of a range too. `forwarding`: we went on forwarding while we
/// restarted.
pub(super) fn peer(config: &Config, peer: &PeerConfig, address: IpAddr, forwarding: bool) -> PeerSettings {
    let options = &peer.options;
    let (prefixes, warn_at) = options.prefix_limits();
    PeerSettings {
        peer_as: Some(peer.asn),
        client: peer.client,
        confederation: peer.confederation,
        as_numbers: peer.as_numbers,
        families: peer.families,
        hold_time: peer.hold_time,
        keepalive: peer.keepalive_time,
        connect_retry: peer.connect_retry,
        delay_open: peer.delay_open,
        open_time: if peer.selector.is_one() { OPEN_TIME } else { MEMBERS_OPEN_TIME },
        send_hold_time: peer.send_hold_time,
        passive: peer.passive,
        extended_message: peer.extended_message,
        extended_next_hop: peer.extended_next_hop,
        role: peer.role,
        strict_role: peer.strict_role,
        enforce_first_as: peer.enforce_first_as,
        import: peer.import.clone(),
        export: peer.export.clone(),
        next_hop: options.next_hop,
        local_v4: config.next_hop_v4,
        local_v6: config.next_hop_v6,
        limits: Limits { prefixes, bytes: options.max_bytes, warn_at, pause: options.max_prefix_restart },
        allowed_prefixes: peer.allowed_prefixes.clone(),
        restart: options.graceful_restart.then_some(RestartSettings {
            restart_time: options.restart_time,
            stale_time: options.stale_time,
            notification: true,
            long_lived: options.long_lived_time,
            forwarding,
        }),
        add_path: AddPath {
            receive: if options.add_path.receives() { peer.families } else { FamilySet::EMPTY },
            send: if options.add_path.sends() { peer.families } else { FamilySet::EMPTY },
            max_paths: options.max_paths,
        },
        advertise: options.advertise,
        keep_received: options.keep_received,
        ..PeerSettings::new(address)
    }
}

/// The range's part, if the entry is one.
pub(super) fn range(config: &Config, entry: &PeerConfig) -> Option<RangeSettings> {
    let Selector::Range(network) = entry.selector else { return None };
    let range = bgp_core::Prefix::new(network.network(), network.prefix())?;
    let template = peer(config, entry, network.network(), true);
    Some(RangeSettings { range, max_sessions: entry.max_sessions, template })
}

/// How segments of an entry's sessions are signed.
pub(super) fn authentication(peer: &PeerConfig) -> Result<Option<Authentication>, KeyError> {
    if peer.tcp_ao.is_empty() {
        let key = peer.password.as_ref().map(|secret| Key::new(secret.expose())).transpose()?;
        return Ok(key.map(Authentication::Md5));
    }
    let key = |key: &TcpAoKey| {
        let TcpAoKey { id, receive_id, algorithm, secret, .. } = key;
        let secret = Key::new(secret.expose())?;
        Ok(AoKey { id: *id, receive_id: *receive_id, algorithm: *algorithm, secret })
    };
    let keys: Result<_, KeyError> = peer.tcp_ao.iter().map(key).collect();
    Ok(Some(Authentication::Ao(keys?)))
}

/// How the path to a peer is watched.
pub(super) fn path(peer: &PeerConfig) -> Option<PathSettings> {
    let BfdSettings { timers, hops } = peer.bfd.as_ref()?.settings;
    Some(PathSettings { timers, hops, source: peer.source_address, ttl_security: peer.ttl_security })
}

/// How to connect to a peer.
pub(super) fn connect(peer: &PeerConfig, address: IpAddr) -> Result<ConnectOptions, KeyError> {
    Ok(ConnectOptions {
        remote: endpoint(address, peer.port),
        local: peer.source_address,
        authentication: authentication(peer)?,
        ttl_security: peer.ttl_security.and_then(NonZeroU8::new),
        timeout: CONNECT_TIMEOUT,
    })
}
