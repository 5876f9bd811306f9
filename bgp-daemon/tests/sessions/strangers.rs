//! Those who connect and are no peers, or do not behave as such.

use std::net::{Ipv4Addr, SocketAddr};

use bgp_daemon::api::Command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::support::{Place, Raw, soon};

const RANGE: &str = "[[clients]]\nrange = \"NET.0/24\"\nmax-sessions = 64\n";

/// A connection from somewhere in 127.77.0.0/16.
async fn stranger(place: &Place, number: u16) -> TcpStream {
    let [high, low] = number.to_be_bytes();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 77, high, low), 0))).unwrap();
    soon("a TCP connection", socket.connect(place.reflector())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_strangers_and_slow_opens_harm_no_session() {
    let place = Place::new();
    let reflector = place.start_reflector(RANGE).await;
    let (mut source, mut client) = (Raw::up(&place, 2).await, Raw::up(&place, 3).await);
    let mut slow = Vec::new();
    for host in 10..60 {
        let mut raw = Raw::connect(&place, host).await;
        raw.stream.write_all(&[0xff]).await.unwrap();
        slow.push(raw);
    }
    for wave in 1..=10 {
        let mut strangers = Vec::new();
        for number in 0..100 {
            strangers.push(stranger(&place, wave << 8 | number).await);
        }
        for (raw, octet) in slow.iter_mut().zip([0xff].into_iter().cycle()) {
            raw.stream.write_all(&[octet]).await.unwrap();
        }
        for mut stranger in strangers {
            let read = soon("the end of a stranger", stranger.read(&mut [0])).await;
            assert_eq!(read.unwrap(), 0, "not an octet");
        }
    }
    source.announce(1000).await;
    client.hears(1000).await;
    let _last = Raw::up(&place, 200).await;
    for host in [2, 3] {
        assert_eq!(reflector.row(place.address(host)).await.unwrap().flaps, 0);
    }
    let peers = reflector.daemon.control().ask(Command::Peers).await.unwrap();
    assert_eq!(peers.len(), 53, "two peers, fifty that are slow, and the last");
}
