//! The scripts that the simulated kernel goes through, too.

use fib_sync::{Event, FibSync, Resolution, Route};
use sim::kernel::scripts::{SCRIPTS, Script, Step};

use crate::namespace::{in_namespace, in_sync, ip, net, open, ours, until, via};

async fn step(fib: &mut FibSync, step: &Step) {
    match *step {
        Step::Ip(command) => drop(ip(command)),
        Step::Set(prefix, next_hops) => fib.set(via(prefix, next_hops)),
        Step::Blackhole(prefix) => fib.set(Route::blackhole(net(prefix))),
        Step::Remove(prefix) => fib.remove(net(prefix)),
        Step::FinishAdoption => fib.finish_adoption(),
        Step::Restart => *fib = open().await,
        Step::Ours(routes) => {
            fib.flush().await.unwrap();
            while ours() != routes {
                in_sync(fib).await;
            }
        }
        Step::Reach(address, expected) => reach(fib, address, expected).await,
    }
}

/// Waits until an address is reached as expected: at first it may be told as before the last command.
async fn reach(fib: &mut FibSync, address: &str, expected: Option<(u32, &str, &str)>) {
    let address = address.parse::<std::net::IpAddr>().unwrap();
    fib.watch(address);
    loop {
        let events =
            until(fib, |event| matches!(event, Event::NextHop { gateway, .. } if gateway.address == address))
                .await;
        let Some(Event::NextHop { resolution, .. }) = events.last() else { continue };
        let found = match resolution {
            Resolution::Reachable { metric, interface, gateway, .. } => {
                Some((*metric, fib.interface_name(*interface).unwrap(), gateway.to_string()))
            }
            Resolution::Unreachable => None,
        };
        if found.as_ref().map(|(metric, link, gateway)| (*metric, *link, gateway.as_str())) == expected {
            break;
        }
    }
    fib.unwatch(address);
}

fn run(script: &'static Script) {
    println!("{}", script.name);
    in_namespace(move || async move {
        let mut fib = open().await;
        for (place, next) in script.steps.iter().enumerate() {
            println!("step {place}: {next:?}");
            step(&mut fib, next).await;
        }
    });
}

#[test]
fn a_real_kernel_behaves_as_the_scripts_say() {
    SCRIPTS.iter().for_each(run);
}
