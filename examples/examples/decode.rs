//! `bgp-core` alone: messages in hexadecimal to text, and one UPDATE by hand.
//!
//! ```text
//! cargo run -p examples --example decode -- ffffffffffffffffffffffffffffffff001304
//! ```

use bgp_core::describe::{DescribeContext, describe};
use bgp_core::wire::{Attributes, BlockUse, MessageType, Treatment, UpdateView, frame};

/// An UPDATE that announces 10.244.1.0/26.
const UPDATE: &str =
    "ffffffffffffffffffffffffffffffff003002000000144001010040020602010000fc004003040a0000011a0af40100";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = octets(&std::env::args().nth(1).unwrap_or_else(|| UPDATE.to_owned()))?;
    let ctx = DescribeContext::default();
    for message in describe(&bytes, &ctx) {
        print!("{message}");
    }

    // The same by hand: where a program goes on with what it read.
    let Some(message) = frame(&bytes, ctx.max_len)?.filter(|message| message.kind == MessageType::Update)
    else {
        return Ok(());
    };
    let update = UpdateView::parse(message.body, &ctx.decode)?;
    let mut block = Vec::new();
    let checked = update.attributes().check(&ctx.decode, BlockUse::Announce, &mut block);
    if update.treatment().max(checked.treatment) < Treatment::TreatAsWithdraw {
        let path = Attributes::new(&block).as_path();
        for (_, prefix) in update.announced() {
            println!("{prefix} by way of AS path {path}, {} hops", path.hops());
        }
    }
    Ok(())
}

/// The octets that `text` spells in hexadecimal; white space and colons are skipped.
fn octets(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()
        .ok_or("expected hexadecimal digits")?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if rest.is_empty() {
        Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
    } else {
        Err("an odd number of hexadecimal digits".to_owned())
    }
}
