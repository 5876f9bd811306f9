//! The ways in which files change.

use super::*;
use crate::net::test_support::Folder;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::Duration;

/// A watched file in a folder of its own.
struct Bench {
    folder: Folder,
    watch: FileWatch,
}

impl Bench {
    /// Before anything is written.
    fn new(file: &str) -> Bench {
        let folder = Folder::new();
        let watch = FileWatch::new(folder.path().join(file)).unwrap();
        Bench { folder, watch }
    }

    /// With a file `prefixes` that holds `content`, which was told.
    async fn with(content: &str) -> Bench {
        let mut bench = Bench::new("prefixes");
        bench.write("prefixes", content);
        bench.tells(content).await;
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    async fn next(&mut self) -> Announced {
        tokio::time::timeout(Duration::from_secs(20), self.watch.next()).await.expect("a change is told")
    }

    /// The next thing told is this one prefix.
    async fn tells(&mut self, prefix: &str) {
        let told = self.next().await.unwrap();
        assert_eq!(told.iter().map(ToString::to_string).collect::<Vec<_>>(), [prefix]);
    }

    async fn tells_that_it_is_missing(&mut self) {
        assert!(matches!(self.next().await, Err(AnnounceFileError::Missing { .. })));
    }

    /// Takes in the events that are there, and tells nothing.
    async fn tells_nothing(&mut self) {
        // Changes of the file system are events by the time the call that makes them returns; the runtime asks for
        // them when a task yields.
        for _ in 0..3 {
            tokio::task::yield_now().await;
            while let Some(demand) = self.watch.demand().now_or_never() {
                self.watch.heed(demand);
            }
            if self.watch.stale {
                let now = self.watch.look().await;
                assert_eq!(self.watch.told, Some(now));
                self.watch.stale = false;
            }
        }
    }
}

#[tokio::test]
async fn a_write_in_place_is_told_when_the_file_is_closed() {
    let mut bench = Bench::with("10.0.0.0/24").await;
    let mut file = fs::File::create(bench.path("prefixes")).unwrap();
    file.write_all(b"10.0.1.0/2").unwrap();
    bench.tells_nothing().await;
    file.write_all(b"4").unwrap();
    drop(file);
    bench.tells("10.0.1.0/24").await;
}

#[tokio::test]
async fn a_rename_over_the_file_is_told_time_and_again() {
    let mut bench = Bench::with("10.0.0.0/24").await;
    for third in 1..5 {
        let prefix = format!("10.0.{third}.0/24");
        bench.write(".prefixes.swp", &prefix);
        bench.rename(".prefixes.swp", "prefixes");
        bench.tells(&prefix).await;
    }
}

#[tokio::test]
async fn a_config_map_swap_is_told() {
    let mut bench = Bench::new("prefixes");
    for version in ["v1", "v2", "v3"] {
        fs::create_dir(bench.path(version)).unwrap();
        bench.write(&format!("{version}/prefixes"), &format!("10.0.{}.0/24", &version[1..]));
    }
    symlink("v1", bench.path("..data")).unwrap();
    symlink("..data/prefixes", bench.path("prefixes")).unwrap();
    bench.tells("10.0.1.0/24").await;
    for (version, before) in [("v2", "v1"), ("v3", "v2")] {
        symlink(version, bench.path("..data_tmp")).unwrap();
        bench.rename("..data_tmp", "..data");
        fs::remove_dir_all(bench.path(before)).unwrap();
        bench.tells(&format!("10.0.{}.0/24", &version[1..])).await;
    }
}

#[tokio::test]
async fn a_file_that_is_removed_and_made_again_is_told_when_it_is_whole() {
    let mut bench = Bench::with("10.0.0.0/24").await;
    fs::remove_file(bench.path("prefixes")).unwrap();
    bench.tells_that_it_is_missing().await;
    let mut file = fs::File::create(bench.path("prefixes")).unwrap();
    bench.tells_nothing().await;
    file.write_all(b"10.0.0.0/24").unwrap();
    drop(file);
    bench.tells("10.0.0.0/24").await;
}

#[tokio::test]
async fn a_directory_that_comes_later_or_comes_again_is_told() {
    let mut bench = Bench::new("run/bgp/prefixes");
    bench.tells_that_it_is_missing().await;
    for prefix in ["10.0.1.0/24", "10.0.2.0/24"] {
        fs::create_dir_all(bench.path("new/bgp")).unwrap();
        bench.write("new/bgp/prefixes", prefix);
        bench.rename("new", "run");
        bench.tells(prefix).await;
        bench.rename("run", prefix.get(..6).unwrap());
        bench.tells_that_it_is_missing().await;
    }
    fs::create_dir(bench.path("run")).unwrap();
    bench.tells_nothing().await;
    fs::create_dir(bench.path("run/bgp")).unwrap();
    bench.tells_nothing().await;
    bench.write("run/bgp/prefixes", "10.0.3.0/24");
    bench.tells("10.0.3.0/24").await;
}

#[tokio::test]
async fn a_hard_link_into_place_is_told() {
    let mut bench = Bench::new("prefixes");
    bench.tells_that_it_is_missing().await;
    bench.write("other", "10.0.0.0/24");
    fs::hard_link(bench.path("other"), bench.path("prefixes")).unwrap();
    bench.tells("10.0.0.0/24").await;
}

#[tokio::test]
async fn a_write_through_another_name_of_the_file_is_told() {
    let mut bench = Bench::with("10.0.0.0/24").await;
    let elsewhere = Folder::new();
    fs::hard_link(bench.path("prefixes"), elsewhere.path().join("same")).unwrap();
    fs::write(elsewhere.path().join("same"), "10.0.1.0/24").unwrap();
    bench.tells("10.0.1.0/24").await;
}

#[tokio::test]
async fn an_error_has_its_line_and_is_told_once_and_the_set_again_after_it() {
    let mut bench = Bench::with("10.0.0.0/24").await;
    bench.write("prefixes", "# pods\n10.0.0.1/24\n");
    let error = bench.next().await.unwrap_err().to_string();
    assert!(
        error.ends_with("prefixes:2: `10.0.0.1/24`: host bits are set: did you mean 10.0.0.0/24?"),
        "{error}"
    );
    bench.write("prefixes", "# pods\n10.0.0.1/24\n");
    bench.tells_nothing().await;
    bench.write("prefixes", "10.0.0.0/24");
    bench.tells("10.0.0.0/24").await;
}

#[tokio::test]
async fn neither_the_same_prefixes_nor_other_files_are_told() {
    let mut bench = Bench::with("10.0.0.0/24").await;
    bench.write("prefixes", "# the same\n10.0.0.0/24\n");
    bench.write("prefixes.bak", "10.0.9.0/24");
    bench.tells_nothing().await;
}

#[tokio::test]
async fn a_change_while_nobody_asks_is_not_lost() {
    let mut bench = Bench::with("10.0.0.0/24").await;
    bench.write("prefixes", "10.0.1.0/24");
    // The future is dropped while it reads.
    assert!(bench.watch.next().now_or_never().is_none());
    bench.tells("10.0.1.0/24").await;
}

#[tokio::test]
async fn a_directory_in_place_of_the_file_is_an_error() {
    let mut bench = Bench::new("prefixes");
    fs::create_dir(bench.path("prefixes")).unwrap();
    let error = bench.next().await.unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
}

#[tokio::test]
async fn watches_do_not_pile_up() {
    let mut bench = Bench::with("10.0.0.0/24").await;
    let before = bench.watch.watched.len();
    for third in 1..50 {
        let prefix = format!("10.0.{third}.0/24");
        bench.write("new", &prefix);
        bench.rename("new", "prefixes");
        bench.tells(&prefix).await;
    }
    assert_eq!(bench.watch.watched.len(), before);
}

#[tokio::test]
async fn a_read_goes_on_when_nobody_waits_for_it_any_more() {
    let mut bench = Bench::new("prefixes");
    bench.write("prefixes", "10.0.0.0/8");
    // A caller with something else to do at every turn, like a loop with a timer.
    let told = async {
        loop {
            if let Some(told) = bench.watch.next().now_or_never() {
                return told;
            }
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(20), told).await.expect("the file is told").unwrap();
    assert_eq!(told.len(), 1);
}
