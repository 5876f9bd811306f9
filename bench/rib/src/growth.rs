//! What becomes of time and memory when there is more of everything.

use bgp_core::V4;
use serde_json::{Value, json};

use crate::allocator::{self, held};
use crate::load::Load;
use crate::measure::thread_time;
use crate::world::World;

const ROUTES: [usize; 4] = [10_000, 100_000, 1_000_000, 4_000_000];
const PEERS: [u32; 4] = [10, 100, 1_000, 2_000];
/// Routes that are changed while peers become more.
const CHANGES: usize = 20_000;

/// A quantity against a size.
#[derive(Clone)]
struct Curve {
    name: &'static str,
    unit: &'static str,
    points: Vec<(f64, f64)>,
}

impl Curve {
    fn new(name: &'static str, unit: &'static str) -> Curve {
        Curve { name, unit, points: Vec::new() }
    }

    /// The slope in log-log, by least squares: 1 if twice the size takes twice as much.
    fn exponent(&self) -> f64 {
        let logs: Vec<(f64, f64)> = self.points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
        let count = logs.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|p| p.0), mean(|p| p.1));
        let covariance: f64 = logs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
        let variance: f64 = logs.iter().map(|p| (p.0 - x).powi(2)).sum();
        covariance / variance
    }

    fn print(&self) {
        let points = self.points.iter().map(|(x, y)| format!("{x:>9}: {:>8.1}", y / x));
        let points = points.collect::<Vec<_>>().join("  ");
        println!("{:<22} {:<14} {:>8.2}  {points}", self.name, self.unit, self.exponent());
    }

    fn json(&self) -> Value {
        let points: Vec<Value> = self.points.iter().map(|(x, y)| json!([x, y])).collect();
        json!({ "name": self.name, "unit": self.unit, "exponent": self.exponent(), "points": points })
    }
}

/// Measures, prints and returns all; each point is the least of `rounds`.
pub fn measure(rounds: usize, quick: bool) -> Value {
    allocator::count();
    let sizes = if quick { &ROUTES[..2] } else { &ROUTES[..] };
    println!("{:<22} {:<14} {:>8}  size: for one of them", "", "", "exponent");
    let mut curves = routes(sizes, rounds);
    curves.extend(peers(if quick { &PEERS[..2] } else { &PEERS[..] }, rounds));
    curves.iter().map(Curve::json).collect()
}

/// Nanoseconds of this thread.
fn time(f: impl FnOnce()) -> f64 {
    let start = thread_time();
    f();
    (thread_time() - start) as f64
}

fn routes(sizes: &[usize], rounds: usize) -> Vec<Curve> {
    let mut curves =
        ["announced to 1 peer", "replaced", "withdrawn"].map(|name| Curve::new(name, "ns")).to_vec();
    let mut octets = Curve::new("memory", "octets");
    for size in sizes {
        let mut least = [f64::MAX; 3];
        let mut load = Load::<V4>::new(*size, 2);
        for _ in 0..rounds {
            let mut world = World::with_clients(2);
            let times = [
                time(|| load.announce_with(&mut world, &load.sets[..1])),
                time(|| load.announce_with(&mut world, &load.sets[1..])),
                time(|| load.withdraw(&mut world, 1)),
            ];
            least.iter_mut().zip(times).for_each(|(least, time)| *least = least.min(time));
        }
        let x = *size as f64;
        curves.iter_mut().zip(least).for_each(|(curve, y)| curve.points.push((x, y)));

        load.sets.clear();
        let before = held();
        load.make_sets(1);
        let mut world = World::with_clients(2);
        load.announce(&mut world);
        world.run();
        load.sets.clear();
        octets.points.push((x, (held() - before).taken() as f64));
    }
    curves.push(octets);
    curves.iter().for_each(Curve::print);
    curves
}

/// Fan-out: the same changes to more and more peers of one group.
fn peers(sizes: &[u32], rounds: usize) -> Vec<Curve> {
    let load = Load::<V4>::new(CHANGES, 2);
    let mut time_per_change = Curve::new("changes to all peers", "ns per change");
    let mut octets = Curve::new("memory of a session", "octets");
    for size in sizes {
        let before = held();
        let mut world = World::with_clients(*size);
        let taken = (held() - before).taken();
        let mut least = f64::MAX;
        for round in 0..=rounds {
            let turn = round % 2;
            least = least.min(time(|| load.announce_with(&mut world, &load.sets[turn..=turn])));
        }
        let x = f64::from(*size);
        time_per_change.points.push((x, least / load.routes.len() as f64));
        octets.points.push((x, taken as f64));
    }
    let curves = vec![time_per_change, octets];
    curves.iter().for_each(Curve::print);
    curves
}
