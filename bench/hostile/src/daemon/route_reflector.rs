//! This project's route reflector.

use std::fmt::Write;
use std::path::Path;

use super::{ADDRESS, Launch, PORT, Setup};
use crate::session::ASN;

pub(super) fn launch(setup: &Setup, scratch: &Path) -> Launch {
    let (hold, directory) = (setup.hold_time, scratch.display());
    let mut text = format!(
        "asn = {ASN}\nrouter-id = \"{ADDRESS}\"\nlisten = [\"{ADDRESS}:{PORT}\"]\nhold-time = {hold}\n\
         [api]\nsocket = \"{directory}/api.sock\"\nlisten = \"\"\n[log]\nlevel = \"warn\"\n"
    );
    for client in &setup.clients {
        let _ = writeln!(text, "[[clients]]\naddress = \"{}\"\npassive = true", client.address);
        let _ = writeln!(text, "send-hold-time = {}", 2 * u32::from(hold));
        if let Some(limit) = client.max_prefix {
            let _ = writeln!(text, "max-prefix = {limit}");
        }
    }
    let arguments = vec!["--config".into(), format!("{directory}/config.toml")];
    Launch { file: ("config.toml", text), arguments }
}
