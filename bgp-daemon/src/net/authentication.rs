//! How the segments of a session are signed: TCP MD5 (RFC 2385, see [`sockopt`](super::sockopt)) or the TCP Authentication
//! Option (RFC 5925), which has several keys, told apart by their ids, and two algorithms.
//!
//! Linux has TCP-AO since 6.7, if it is built with CONFIG_TCP_AO. Without it, setting a key fails, and so does everything
//! that was to be signed with it: there is no connection that is not signed instead.

use std::io;
use std::os::fd::AsFd;

use bgp_core::Prefix;
use socket2::{Domain, Protocol, Socket, Type};

use super::sockopt::{self, Key, OptionError, tcp};
use super::sys::{self, OptionName, TcpAoAdd, TcpAoDel};

const TCP_AO_ADD_KEY: OptionName = tcp(38);
const TCP_AO_DEL_KEY: OptionName = tcp(39);
const TCP_AO_INFO: OptionName = tcp(40);

/// The algorithms that RFC 5926 asks every implementation for, by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AoAlgorithm {
    /// HMAC-SHA-1-96.
    HmacSha1,
    /// AES-128-CMAC-96.
    Aes128Cmac,
}

impl AoAlgorithm {
    /// Octets of a signature: the 96 bits of both.
    const MAC_LEN: u8 = 12;

    fn kernel_name(self) -> &'static str {
        match self {
            AoAlgorithm::HmacSha1 => "hmac(sha1)",
            AoAlgorithm::Aes128Cmac => "cmac(aes128)",
        }
    }
}

/// A key of TCP-AO (a Master Key Tuple without its addresses).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AoKey {
    /// What segments say that we sign with it (SendID).
    pub id: u8,
    /// What segments say that the peer signs with it (RecvID).
    pub receive_id: u8,
    /// How it signs.
    pub algorithm: AoAlgorithm,
    /// The secret that both ends have.
    pub secret: Key,
}

/// How the segments of a session are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// TCP MD5 signatures.
    Md5(Key),
    /// TCP-AO. We connect with the first key; a peer that connects chooses one.
    Ao(Vec<AoKey>),
}

impl Authentication {
    pub(super) fn is_ao(&self) -> bool {
        matches!(self, Authentication::Ao(_))
    }

    /// Has a listener take only what is signed so from `peers`.
    pub(super) fn listen(&self, listener: &impl AsFd, peers: Prefix) -> Result<(), OptionError> {
        match self {
            Authentication::Md5(key) => sockopt::set_md5(listener, peers, Some(key)),
            Authentication::Ao(keys) => keys.iter().try_for_each(|key| key.add(listener, peers, false)),
        }
    }

    /// Takes back what [`listen`](Authentication::listen) did, or what it did before it failed.
    pub(super) fn forget(&self, listener: &impl AsFd, peers: Prefix) -> Result<(), OptionError> {
        match self {
            Authentication::Md5(_) => sockopt::set_md5(listener, peers, None),
            Authentication::Ao(keys) => keys.iter().try_for_each(|key| key.delete(listener, peers)),
        }
    }

    /// Has a socket connect to `peer` so and not otherwise.
    pub(super) fn connect(&self, socket: &impl AsFd, peer: Prefix) -> Result<(), OptionError> {
        match self {
            Authentication::Md5(key) => sockopt::set_md5(socket, peer, Some(key)),
            Authentication::Ao(keys) => {
                let mut keys = keys.iter().enumerate();
                keys.try_for_each(|(place, key)| key.add(socket, peer, place == 0))
            }
        }
    }
}

impl AoKey {
    fn add(&self, socket: &impl AsFd, peers: Prefix, sign: bool) -> Result<(), OptionError> {
        let AoKey { id, receive_id, algorithm, secret } = self;
        let name = algorithm.kernel_name();
        let value =
            TcpAoAdd::new(peers, [*id, *receive_id], name, AoAlgorithm::MAC_LEN, secret.octets(), sign);
        let value = value.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL));
        value
            .and_then(|value| sys::set_option(socket.as_fd(), TCP_AO_ADD_KEY, &value))
            .map_err(OptionError::at(format!("set the TCP-AO key {id} ({name}) for {peers}")))
    }

    fn delete(&self, listener: &impl AsFd, peers: Prefix) -> Result<(), OptionError> {
        let value = TcpAoDel::new(peers, [self.id, self.receive_id]);
        match sys::set_option(listener.as_fd(), TCP_AO_DEL_KEY, &value) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other.map_err(OptionError::at(format!("delete the TCP-AO key {} for {peers}", self.id))),
        }
    }
}

/// Whether TCP-AO is in use on a connection.
pub(super) fn is_signed_with_ao(connection: &impl AsFd) -> Result<bool, OptionError> {
    match ask(connection) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(OptionError::at("ask for the TCP-AO of a connection")(error)),
    }
}

/// Whether this kernel has TCP-AO. A socket that nobody connects is asked; if there is none to be had, the answer is yes,
/// and the first key that is set tells.
#[must_use]
pub fn kernel_has_tcp_ao() -> bool {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.cloexec(), Some(Protocol::TCP));
    let answer = socket.and_then(|socket| ask(&socket));
    answer.err().and_then(|error| error.raw_os_error()) != Some(libc::ENOPROTOOPT)
}

/// `getsockopt(TCP_AO_INFO)`; ENOENT: the socket does not use it.
fn ask(socket: &impl AsFd) -> io::Result<()> {
    // `struct tcp_ao_info_opt`, whose reserved bits must be 0.
    let mut info = [0; 48];
    sys::get_option(socket.as_fd(), TCP_AO_INFO, &mut info).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Authentication {
        let key = |id, algorithm| AoKey {
            id,
            receive_id: id + 100,
            algorithm,
            secret: Key::new("s3cret").unwrap(),
        };
        Authentication::Ao(vec![key(1, AoAlgorithm::HmacSha1), key(2, AoAlgorithm::Aes128Cmac)])
    }

    #[test]
    fn a_key_is_set_or_the_kernel_has_no_tcp_ao_and_that_is_said() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        let range: Prefix = "127.1.0.0/16".parse().unwrap();
        let results =
            [keys().listen(&listener, range), keys().connect(&socket, "127.0.0.1/32".parse().unwrap())];
        if kernel_has_tcp_ao() {
            results.into_iter().for_each(Result::unwrap);
            assert!(is_signed_with_ao(&socket).unwrap());
            assert!(keys().listen(&listener, range).is_err(), "an id is taken once");
            keys().forget(&listener, range).unwrap();
            keys().forget(&listener, range).unwrap();
            return keys().listen(&listener, range).unwrap();
        }
        let [listens, connects] = results.map(|result| result.unwrap_err().to_string());
        for (text, prefix) in [(listens, "127.1.0.0/16"), (connects, "127.0.0.1/32")] {
            assert!(
                text.starts_with(&format!("cannot set the TCP-AO key 1 (hmac(sha1)) for {prefix}")),
                "{text}"
            );
            assert!(
                text.contains("this kernel is built without it") && text.contains("CONFIG_TCP_AO"),
                "{text}"
            );
        }
        assert!(is_signed_with_ao(&socket).is_err());
    }

    #[test]
    fn no_key_shows_itself() {
        assert!(!format!("{:?}", keys()).contains("s3cret"));
    }
}
