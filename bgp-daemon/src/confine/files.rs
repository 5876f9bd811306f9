//! Landlock (Linux 5.13 and later): rules on where files are read, written and run, and on which ports are listened on.
//!
//! It needs no privilege, goes by what a path is now, not by its name, and is the same in a container.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::Needs;

/// The newest rules that this was tried with; an older kernel has fewer.
const TRIED: ABI = ABI::V6;

/// What is read by the runtime (cores, limits, memory in use), by `nft`, and to name the places of a panic.
const READABLE: [&str; 10] = [
    "/proc",
    "/sys",
    "/dev/urandom",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/iproute2",
];

/// What the kernel runs to load a program's libraries.
const LOADERS: [&str; 4] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

/// Restricts the process to what it needs. What is in force, for the log.
pub(super) fn restrict(needs: &Needs) -> Result<String, String> {
    let status = rules(needs).map_err(|error| format!("Landlock: {error}"))?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err("Landlock is switched off in this kernel (`lsm=` on its command line)".to_owned())
        }
        (RulesetStatus::NotEnforced, _) => {
            Err("this kernel has no Landlock (it takes Linux 5.13 with CONFIG_SECURITY_LANDLOCK)".to_owned())
        }
        (RulesetStatus::FullyEnforced, _) => Ok(format!("writes only in {}", list(needs))),
        (RulesetStatus::PartiallyEnforced, _) => {
            Ok(format!("in part, as this kernel can: writes only in {}", list(needs)))
        }
    }
}

fn list(needs: &Needs) -> String {
    let paths: Vec<String> = needs.write.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

fn rules(needs: &Needs) -> Result<landlock::RestrictionStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let overwrite = AccessFs::WriteFile | AccessFs::Truncate;
    let write = read
        | overwrite
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSock
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    let run = AccessFs::Execute | AccessFs::ReadFile;
    let loaders = needs.program.is_some().then_some(LOADERS).into_iter().flatten().map(Path::new);
    let settings = needs.forwards.then_some("/proc/sys/net");
    // Port 0: the source port of a session with a source address.
    let ports = needs.listen.iter().copied().chain([0]);
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(TRIED))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(TRIED))?
        .create()?
        .add_rules(below(READABLE, read))?
        .add_rules(below(["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile))?
        .add_rules(below(std::env::current_exe().ok(), AccessFs::ReadFile.into()))?
        .add_rules(below(&needs.read, read))?
        .add_rules(below(&needs.write, write))?
        .add_rules(below(settings, overwrite))?
        .add_rules(below(needs.program.as_deref().into_iter().chain(loaders), run))?
        .add_rules(ports.map(|port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::BindTcp))))?
        .restrict_self()
}

/// Rules for those of the paths that are there.
fn below<P: AsRef<Path>>(
    paths: impl IntoIterator<Item = P>,
    access: BitFlags<AccessFs>,
) -> impl Iterator<Item = Result<landlock::PathBeneath<landlock::PathFd>, RulesetError>> {
    path_beneath_rules(paths, access)
}
