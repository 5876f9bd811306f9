//! The connections of an endpoint: how many there are, of whom, and how long each may keep its place.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::Sleep;

/// How many connections an endpoint serves at once; more wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// How many of them one host has; more are closed.
const OF_ONE_HOST: usize = 16;

/// How long another host may take for the head of a request, and for the next octets of an answer. One that does nothing
/// would else keep its place, and the probes of the daemon wait. Who is on this host's socket is trusted.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where connections come from, as far as they are counted by it.
pub(super) trait Source {
    /// The host, if it is one of many.
    fn host(&self) -> Option<IpAddr>;
}

impl Source for SocketAddr {
    fn host(&self) -> Option<IpAddr> {
        Some(match self.ip().to_canonical() {
            // One host can use all of a /64.
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address => address,
        })
    }
}

impl Source for tokio::net::unix::SocketAddr {
    fn host(&self) -> Option<IpAddr> {
        None
    }
}

/// Serves until `stop` becomes true or its sender is gone; then open requests are answered.
pub(super) async fn serve<L>(mut listener: L, router: Router, mut stop: watch::Receiver<bool>)
where
    L: Listener,
    L::Addr: Source,
{
    let mut open = JoinSet::new();
    let mut hosts: HashMap<Id, IpAddr> = HashMap::new();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            Some(ended) = open.join_next_with_id() => {
                let id = match &ended {
                    Ok((id, ())) => *id,
                    Err(failed) => failed.id(),
                };
                hosts.remove(&id);
            }
            (stream, source) = listener.accept(), if open.len() < CONNECTIONS => {
                let host = source.host();
                let of_host = hosts.values().filter(|other| Some(**other) == host).count();
                if of_host < OF_ONE_HOST {
                    let id = open.spawn(connection(stream, host.is_some(), router.clone(), stop.clone())).id();
                    hosts.extend(host.map(|host| (id, host)));
                }
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // If nobody can tell any more, that is the end as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn connection<I>(stream: I, is_remote: bool, router: Router, mut stop: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    let patience = is_remote.then_some(PATIENCE);
    builder.timer(TokioTimer::new()).header_read_timeout(patience);
    let stream = TokioIo::new(Impatient { stream, patience, limit: None });
    let mut connection = pin!(builder.serve_connection(stream, service));
    // How a connection ends is its client's business.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// A stream that fails when the other end takes nothing for too long.
struct Impatient<I> {
    stream: I,
    patience: Option<Duration>,
    /// Set while something waits to be taken.
    limit: Option<Pin<Box<Sleep>>>,
}

impl<I> Impatient<I> {
    fn judge<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let Some(patience) = self.patience.filter(|_| written.is_pending()) else {
            self.limit = None;
            return written;
        };
        let limit = self.limit.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(limit.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Impatient<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Impatient<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, octets);
        self.judge(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, shut)
    }
}
