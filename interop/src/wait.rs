use crate::{Error, Net, Result};
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(100);

/// `Ok` if `condition` holds, else what is wrong. For use inside [`Net::eventually`].
///
/// # Errors
/// [`Error::NotSo`] with the given text.
pub fn ensure<S: Into<String>>(condition: bool, otherwise: impl FnOnce() -> S) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::NotSo(otherwise().into())) }
}

/// Looks at a condition for the whole of `span`: for what must *not* happen.
///
/// # Errors
/// The first error of `check`.
pub fn holds_for(span: Duration, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    let end = Instant::now() + span;
    while Instant::now() < end {
        check()?;
        std::thread::sleep(POLL);
    }
    check()
}

impl Net {
    /// Polls `check` until it succeeds, for at most 30 s.
    ///
    /// # Errors
    /// [`Error::Timeout`] with the last error of `check` and the end of every party's log.
    pub fn eventually<T>(&self, what: &str, check: impl FnMut() -> Result<T>) -> Result<T> {
        self.eventually_within(Duration::from_secs(30), what, check)
    }

    /// [`Net::eventually`] with another limit.
    ///
    /// # Errors
    /// As there.
    pub fn eventually_within<T>(
        &self,
        limit: Duration,
        what: &str,
        mut check: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let end = Instant::now() + limit;
        loop {
            match check() {
                Ok(value) => return Ok(value),
                Err(error) if Instant::now() >= end => {
                    return Err(Error::Timeout {
                        what: what.to_owned(),
                        seconds: limit.as_secs(),
                        last: error.to_string(),
                        logs: self.logs(),
                    });
                }
                Err(_) => std::thread::sleep(POLL),
            }
        }
    }
}

/// Waits up to 20 s for a router that was just started.
pub(crate) fn until_ready(what: &str, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match check() {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= end => {
                return Err(Error::NotSo(format!("not so: {what}: {error}")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
