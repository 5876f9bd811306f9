//! The simulated kernel goes through the scripts that a real one goes through with `fib-sync`.

#![cfg(test)]

use sim::kernel::scripts::{HOST, SCRIPTS, Script, Step};
use sim::kernel::{Kernel, Target};

fn run(script: &Script) {
    let mut kernel = Kernel::new();
    HOST.iter().for_each(|command| kernel.ip(command).unwrap());
    for (place, step) in script.steps.iter().enumerate() {
        let at = format!("{}, step {place}: {step:?}", script.name);
        match *step {
            Step::Ip(command) => kernel.ip(command).unwrap(),
            Step::Set(prefix, next_hops) => {
                let next_hops = next_hops.iter().map(|next_hop| next_hop.parse().unwrap());
                kernel.set(prefix.parse().unwrap(), Target::Via(next_hops.collect()));
            }
            Step::Blackhole(prefix) => kernel.set(prefix.parse().unwrap(), Target::Blackhole),
            Step::Remove(prefix) => kernel.remove(prefix.parse().unwrap()),
            Step::FinishAdoption => kernel.finish_adoption(),
            Step::Restart => kernel.restart(),
            Step::Ours(routes) => assert_eq!(kernel.our_routes(), routes, "{at}"),
            Step::Reach(address, expected) => {
                let found = kernel.resolve(address.parse().unwrap());
                let found = found.map(|to| (to.metric, to.link, to.gateway.to_string()));
                let found = found.as_ref().map(|(metric, link, to)| (*metric, link.as_str(), to.as_str()));
                assert_eq!(found, expected, "{at}");
            }
        }
    }
}

#[test]
fn the_simulated_kernel_behaves_as_the_scripts_say() {
    SCRIPTS.iter().for_each(run);
}

#[test]
fn a_command_that_is_not_known_is_refused() {
    let mut kernel = Kernel::new();
    assert!(kernel.ip("route add 10.0.0.0/8 via 10.0.1.9").is_err(), "the gateway is on no network");
    assert!(kernel.ip("rule add from all").is_err());
}
