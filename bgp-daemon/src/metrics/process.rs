//! The usual `process_*` metrics, from `/proc/self`, where what cannot be read is left out; and what became of the log.

use std::fs;

use prometheus::proto::MetricFamily;

use super::family::Families;

/// Clock ticks of `/proc/self/stat` in a second: `USER_HZ`, 100 on every Linux.
const USER_HZ: f64 = 100.0;

pub(super) fn families() -> Vec<MetricFamily> {
    let mut out = Families::default();
    if let Some(bytes) = resident_bytes() {
        out.gauge("process_resident_memory_bytes", "Resident memory", &[], bytes);
    }
    if let Some(seconds) = cpu_seconds() {
        out.counter("process_cpu_seconds_total", "User and system time", &[], seconds);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        out.gauge("process_open_fds", "Open file descriptors", &[], entries.count() as f64);
    }
    let help = "Lines of the log that standard error did not take in time";
    out.counter("bgp_log_lines_lost_total", help, &[], crate::log::lost() as f64);
    out.finish()
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the command's name in parentheses; user and system time are the 14th and 15th.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    ticks.sum::<Result<f64, _>>().ok().map(|ticks| ticks / USER_HZ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_time_and_files() {
        let names: Vec<String> = families().iter().map(|family| family.name().to_owned()).collect();
        assert_eq!(
            names,
            [
                "bgp_log_lines_lost_total",
                "process_cpu_seconds_total",
                "process_open_fds",
                "process_resident_memory_bytes"
            ]
        );
        assert!(resident_bytes().unwrap() > 0.0);
    }
}
