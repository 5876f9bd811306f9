//! The configurations in README, docs and deploy are accepted by the daemons they are for.

use interop::{Error, Program, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(root().join(file)).map_err(|error| Error::NotSo(format!("{file}: {error}")))
}

fn check(program: Program, name: &str, text: &str) -> Result<()> {
    let path = std::env::temp_dir().join(format!("document-{}-{name}.toml", std::process::id()));
    let failed = |error: std::io::Error| Error::NotSo(format!("{}: {error}", path.display()));
    std::fs::write(&path, text).map_err(failed)?;
    let output =
        Command::new(program.path()?).arg("--config").arg(&path).arg("--check").output().map_err(failed)?;
    std::fs::remove_file(&path).map_err(failed)?;
    ensure(output.status.success(), || format!("{name}: {}\n{text}", String::from_utf8_lossy(&output.stderr)))
}

/// Every TOML block, which begins with the daemon's name in a comment.
fn check_blocks(file: &str) -> Result<()> {
    let text = read(file)?;
    let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut checked = 0;
    for block in blocks {
        let program = match block.lines().next() {
            Some("# route-reflector") => Program::RouteReflector,
            Some("# bgp-speaker") => Program::Speaker,
            other => return Err(Error::NotSo(format!("{file}: a block for which daemon? {other:?}"))),
        };
        checked += 1;
        check(program, &format!("{}-{checked}", file.replace('/', "-")), block)?;
    }
    ensure(checked > 0, || format!("{file} has no configuration"))
}

/// The text of the `NAME.toml: |` entry of a ConfigMap.
fn config_map(file: &str, name: &str) -> Result<String> {
    let text = read(file)?;
    let body = text.split(&format!("  {name}.toml: |\n")).nth(1).unwrap_or_default();
    let lines = body.lines().take_while(|line| line.starts_with("    "));
    Ok(lines.flat_map(|line| [line.trim(), "\n"]).collect())
}

#[test]
fn the_readme_shows_good_configurations() -> Result<()> {
    check_blocks("README.md")
}

#[test]
fn the_reference_shows_good_configurations() -> Result<()> {
    check_blocks("docs/config.md")
}

#[test]
fn the_page_on_watching_shows_good_configurations() -> Result<()> {
    check_blocks("docs/monitoring.md")
}

#[test]
fn the_page_on_filters_shows_good_configurations() -> Result<()> {
    check_blocks("docs/filters.md")
}

#[test]
fn the_manifests_hold_good_configurations() -> Result<()> {
    let reflector = config_map("deploy/kubernetes/route-reflector.yaml", "route-reflector")?;
    check(Program::RouteReflector, "manifest-reflector", &reflector)?;
    let speaker = config_map("deploy/kubernetes/bgp-speaker.yaml", "bgp-speaker")?;
    check(Program::Speaker, "manifest-speaker", &speaker)
}
