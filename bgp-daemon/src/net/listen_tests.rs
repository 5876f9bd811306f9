//! Listening and connecting against each other, on loopback and in network namespaces.

use super::*;
use crate::net::test_support::{in_namespace, ip, tcp_counter};
use crate::net::{ConnectError, ConnectOptions, connect, unread};
use futures::FutureExt;
use std::net::IpAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HOP: NonZeroU8 = NonZeroU8::MIN;
/// For connections that must come about.
const LONG: Duration = Duration::from_secs(20);
/// For connections whose packets are dropped: the kernel's counters then tell why.
const SHORT: Duration = Duration::from_millis(200);

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn keys(of: &[(&str, &str)]) -> BTreeMap<Prefix, Authentication> {
    of.iter().map(|(prefix, secret)| (prefix.parse().unwrap(), Authentication::Md5(key(secret)))).collect()
}

fn key(secret: &str) -> Key {
    Key::new(secret).unwrap()
}

fn to(remote: &str, timeout: Duration) -> ConnectOptions {
    ConnectOptions {
        remote: remote.parse().unwrap(),
        local: None,
        authentication: None,
        ttl_security: None,
        timeout,
    }
}

fn signed(remote: &str, secret: &str, timeout: Duration) -> ConnectOptions {
    ConnectOptions { authentication: Some(Authentication::Md5(key(secret))), ..to(remote, timeout) }
}

/// Both ends of a connection.
async fn pair(listener: &Listener, options: ConnectOptions) -> (TcpStream, Inbound) {
    let (ours, theirs) = tokio::join!(connect(&options), listener.accept());
    (ours.unwrap(), theirs)
}

async fn is_silent(options: ConnectOptions) -> bool {
    matches!(connect(&options).await, Err(ConnectError::NoAnswer { .. }))
}

#[test]
fn both_families_listen_on_one_port_and_tell_both_ends() {
    in_namespace(|| async {
        let listener = Listener::bind(&addresses(&["0.0.0.0:179", "[::]:179"])).unwrap();
        assert_eq!(listener.local_addresses().count(), 2);
        for remote in ["127.0.0.1:179", "[::1]:179"] {
            let (stream, inbound) = pair(&listener, to(remote, LONG)).await;
            assert_eq!(inbound.local, remote.parse().unwrap());
            assert_eq!(inbound.peer, stream.local_addr().unwrap());
            assert!(inbound.stream.nodelay().unwrap());
        }
    });
}

#[test]
fn a_port_in_use_is_one_sentence_with_the_remedy() {
    in_namespace(|| async {
        let taken = addresses(&["127.0.0.1:179"]);
        let _first = Listener::bind(&taken).unwrap();
        assert_eq!(
            Listener::bind(&taken).unwrap_err().to_string(),
            "cannot listen on 127.0.0.1:179: the port is in use; stop the other BGP daemon \
             (`ss -ltnp 'sport = :179'` shows it) or change `listen`"
        );
    });
}

#[test]
fn a_low_port_and_a_foreign_address_name_their_remedies() {
    let [low, foreign] = [libc::EACCES, libc::EADDRNOTAVAIL].map(|code| {
        let address = "10.0.0.1:179".parse().unwrap();
        ListenError::new(address, io::Error::from_raw_os_error(code)).to_string()
    });
    assert!(low.contains("CAP_NET_BIND_SERVICE") && low.contains("higher port"), "{low}");
    assert!(foreign.contains("does not have that address"), "{foreign}");
}

#[test]
fn an_address_asked_for_by_name_is_never_left_out() {
    in_namespace(|| async {
        let error = Listener::bind(&addresses(&["0.0.0.0:179", "[fd00::9]:179"])).unwrap_err();
        assert!(matches!(error, ListenError::NoSuchAddress(address) if address.is_ipv6()));
    });
}

#[test]
fn only_the_right_key_connects() {
    in_namespace(|| async {
        let listener = Listener::bind(&addresses(&["0.0.0.0:179", "[::]:179"])).unwrap();
        listener.set_keys(&keys(&[("127.0.0.1/32", "right"), ("::1/128", "right")])).unwrap();
        for remote in ["127.0.0.1:179", "[::1]:179"] {
            let (mut stream, mut inbound) = pair(&listener, signed(remote, "right", LONG)).await;
            stream.write_all(b"signed").await.unwrap();
            let mut buffer = [0; 6];
            inbound.stream.read_exact(&mut buffer).await.unwrap();
            assert_eq!(&buffer, b"signed");

            let before = tcp_counter("TCPMD5Failure");
            assert!(is_silent(signed(remote, "wrong", SHORT)).await);
            assert!(tcp_counter("TCPMD5Failure") > before);

            let before = tcp_counter("TCPMD5NotFound");
            assert!(is_silent(to(remote, SHORT)).await, "unsigned");
            assert!(tcp_counter("TCPMD5NotFound") > before);
        }
        let hint = connect(&signed("127.0.0.1:179", "wrong", SHORT)).await.unwrap_err().to_string();
        assert_eq!(
            hint,
            "127.0.0.1:179 does not answer; does it have the same password (or keys) and ttl-security?"
        );
    });
}

#[test]
fn the_key_of_a_range_holds_for_its_addresses_and_a_longer_prefix_goes_first() {
    in_namespace(|| async {
        ip("address add fd00:7::1/64 dev lo nodad");
        let listener = Listener::bind(&addresses(&["0.0.0.0:179", "[::]:179"])).unwrap();
        let ranges = [("127.0.0.0/8", "range"), ("127.0.0.7/32", "single"), ("fd00:7::/64", "six")];
        listener.set_keys(&keys(&ranges)).unwrap();

        let from = |local: &str, options| ConnectOptions { local: Some(local.parse().unwrap()), ..options };
        let range = |timeout| signed("127.0.0.1:179", "range", timeout);
        pair(&listener, from("127.9.9.9", range(LONG))).await;
        pair(&listener, from("127.0.0.7", signed("127.0.0.1:179", "single", LONG))).await;
        assert!(is_silent(from("127.0.0.7", range(SHORT))).await);
        pair(&listener, signed("[fd00:7::1]:179", "six", LONG)).await;
        assert!(is_silent(to("[fd00:7::1]:179", SHORT)).await);
        pair(&listener, to("[::1]:179", LONG)).await;
    });
}

#[test]
fn keys_change_without_listening_anew() {
    in_namespace(|| async {
        let listener = Listener::bind(&addresses(&["127.0.0.1:179"])).unwrap();
        let remote = "127.0.0.1:179";
        listener
            .set_keys(&keys(&[("127.0.0.0/8", "old"), ("fd00::/8", "no socket of that family")]))
            .unwrap();
        let (mut early, mut inbound) = pair(&listener, signed(remote, "old", LONG)).await;

        listener.set_keys(&keys(&[("127.0.0.0/8", "new")])).unwrap();
        pair(&listener, signed(remote, "new", LONG)).await;
        assert!(is_silent(signed(remote, "old", SHORT)).await);
        early.write_all(b"!").await.unwrap();
        assert_eq!(inbound.stream.read_u8().await.unwrap(), b'!', "a connection keeps its key");

        listener.set_keys(&keys(&[("127.0.0.1/32", "single")])).unwrap();
        pair(&listener, signed(remote, "single", LONG)).await;
        listener.set_keys(&BTreeMap::new()).unwrap();
        pair(&listener, to(remote, LONG)).await;
    });
}

#[test]
fn a_connection_that_was_waiting_when_the_key_was_set_is_held_to_it() {
    in_namespace(|| async {
        let listener = Listener::bind(&addresses(&["127.0.0.1:179"])).unwrap();
        let (mut stream, inbound) = pair(&listener, to("127.0.0.1:179", LONG)).await;
        inbound.require_key(&key("new")).unwrap();
        let before = tcp_counter("TCPMD5NotFound");
        stream.write_all(b"!").await.unwrap();
        while tcp_counter("TCPMD5NotFound") == before {
            tokio::task::yield_now().await;
        }
        assert!(!unread(&inbound.stream).unwrap());
    });
}

#[test]
fn ttl_security_takes_a_neighbour_and_refuses_a_low_ttl() {
    in_namespace(|| async {
        let listener = Listener::bind(&addresses(&["0.0.0.0:179", "[::]:179"])).unwrap();
        for remote in ["127.0.0.1:179", "[::1]:179"] {
            let near = ConnectOptions { ttl_security: Some(HOP), ..to(remote, LONG) };
            let (_stream, inbound) = pair(&listener, near).await;
            inbound.require_ttl(HOP).unwrap();

            let (_stream, inbound) = pair(&listener, to(remote, LONG)).await;
            let error = inbound.require_ttl(HOP).unwrap_err().to_string();
            assert!(error.contains("arrived with TTL 64, and ttl-security = 1 takes 255 or more"), "{error}");
        }
    });
}

#[test]
fn the_kernel_drops_what_comes_from_too_far_on_a_secured_connection() {
    in_namespace(|| async {
        let listener = Listener::bind(&addresses(&["127.0.0.1:179"])).unwrap();
        let near = ConnectOptions { ttl_security: Some(HOP), ..to("127.0.0.1:179", LONG) };
        let (mut stream, mut inbound) = pair(&listener, near).await;
        inbound.require_ttl(HOP).unwrap();
        let remote: IpAddr = "127.0.0.1".parse().unwrap();

        sockopt::set_ttl(&stream, remote, Some(254)).unwrap();
        let before = tcp_counter("TCPMinTTLDrop");
        stream.write_all(b"!").await.unwrap();
        while tcp_counter("TCPMinTTLDrop") == before {
            tokio::task::yield_now().await;
        }
        assert!(!unread(&inbound.stream).unwrap());

        sockopt::set_ttl(&stream, remote, Some(255)).unwrap();
        inbound.stream.peek(&mut [0]).await.unwrap();
        assert!(unread(&inbound.stream).unwrap());
        assert_eq!(inbound.stream.read_u8().await.unwrap(), b'!');
        assert!(!unread(&inbound.stream).unwrap());
    });
}

#[test]
fn a_listener_that_does_not_send_with_255_is_not_connected_to() {
    in_namespace(|| async {
        let _listener = std::net::TcpListener::bind("127.0.0.1:179").unwrap();
        let near = ConnectOptions { ttl_security: Some(HOP), ..to("127.0.0.1:179", SHORT) };
        assert!(is_silent(near).await);
    });
}

#[tokio::test]
async fn a_lack_of_file_descriptors_pauses_accepting_and_loses_no_connection() {
    let listener = Listener::bind(&addresses(&["127.0.0.1:0"])).unwrap();
    let remote = listener.local_addresses().next().unwrap();
    let start = Instant::now();
    listener.survive(&io::Error::from_raw_os_error(libc::EMFILE));
    let stream = std::net::TcpStream::connect(remote).unwrap();
    assert_eq!(listener.accept().await.peer, stream.local_addr().unwrap());
    assert!(start.elapsed() >= PAUSE);
}

#[tokio::test]
async fn nobody_is_accepted_on_no_address() {
    let listener = Listener::bind(&[]).unwrap();
    assert!(listener.accept().now_or_never().is_none());
}
