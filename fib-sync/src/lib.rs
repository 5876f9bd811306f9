//! fib-sync
