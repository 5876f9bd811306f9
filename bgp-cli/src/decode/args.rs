//! The options of `bgp decode`.

use std::path::PathBuf;

use bgp_capture::Format;
use bgp_core::Family;
use clap::ValueEnum;

#[derive(clap::Args, Debug)]
pub(crate) struct DecodeArgs {
    /// Whole messages in hexadecimal; colons and blanks are skipped
    #[arg(value_name = "HEX", required_unless_present = "file", conflicts_with = "file")]
    pub(super) hex: Vec<String>,
    /// A file with messages, gzipped or not; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// What the file is
    #[arg(long = "format", value_enum, default_value = "auto", conflicts_with = "hex")]
    pub(super) file_format: FileFormat,
    /// The TCP port of BGP, in a pcap
    #[arg(long, default_value_t = 179)]
    pub(super) port: u16,
    /// Only messages with faults, and what could not be read
    #[arg(long)]
    pub(super) faults: bool,
    /// The sender's OPEN message, for the capabilities of its session
    #[arg(long, value_name = "HEX")]
    pub(super) open: Option<String>,
    /// The session is to another AS
    #[arg(long)]
    pub(super) external: bool,
    /// AS numbers have two octets
    #[arg(long)]
    pub(super) two_octet_as: bool,
    /// The families that the session carries: ipv4,ipv6,ipv4-vpn,evpn… [default: all, or those of the OPENs]
    #[arg(long, value_name = "FAMILY,…", value_delimiter = ',')]
    pub(super) families: Vec<Family>,
    /// The families with path identifiers [default: none, or those of the OPENs]
    #[arg(long, value_name = "FAMILY,…", value_delimiter = ',')]
    pub(super) add_path: Vec<Family>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FileFormat {
    /// What it looks like
    Auto,
    /// Hexadecimal text
    Hex,
    /// Messages one after the other
    Binary,
    /// MRT (RFC 6396)
    Mrt,
    /// pcap or pcapng
    Pcap,
}

impl FileFormat {
    /// `None` if it is to be detected.
    pub(super) fn chosen(self) -> Option<Format> {
        match self {
            FileFormat::Auto => None,
            FileFormat::Hex => Some(Format::Hex),
            FileFormat::Binary => Some(Format::Binary),
            FileFormat::Mrt => Some(Format::Mrt),
            FileFormat::Pcap => Some(Format::Pcap),
        }
    }
}
