//! Routers that die, and one that seems to.

use super::dice::Dice;
use super::{RATE, Scene};
use crate::rig::{Member, PODS, Rig};
use crate::soak::Feed;
use crate::{Error, Recording, Result, ensure};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How many are killed.
const KILLS: usize = 12;
/// Who is drawn dies in this time after BIRD has seen the first route, in milliseconds. A table takes about as long.
const WITHIN: usize = 1500;
/// A router that is back has everything after its restart, which takes ten seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Who dies when is drawn.
pub(super) fn kills(scene: &mut Scene<'_>) -> Result<String> {
    let (mut in_transfer, mut died) = (0, [0; 3]);
    let routes = crate::replay::passed_on(scene.recording, &scene.rig.reflector.node)?;
    for _ in 0..KILLS {
        let (victim, after) = draw(&mut scene.dice);
        if let Some(died) = died.get_mut(victim) {
            *died += 1;
        }
        in_transfer += usize::from(kill(&mut scene.rig, scene.recording, routes, victim, after)?);
    }
    let [reflector, first, second] = died;
    Ok(format!(
        "{reflector} of the reflector, {first} and {second} of the speakers, {in_transfer} in the middle of a table's \
         transfer; each time all held its {routes} routes in the end"
    ))
}

fn draw(dice: &mut Dice) -> (usize, Duration) {
    (dice.below(3), Duration::from_millis(dice.below(WITHIN) as u64))
}

fn victim(rig: &mut Rig, which: usize) -> &mut Member {
    let [first, second] = &mut rig.speakers;
    match which {
        0 => &mut rig.reflector,
        1 => first,
        _ => second,
    }
}

/// A table is announced, somebody dies so long after it began to arrive and is started again, and all hold the table; then it
/// is gone again. Whether it was still being sent.
fn kill(rig: &mut Rig, recording: &Recording, routes: usize, which: usize, after: Duration) -> Result<bool> {
    let net = rig.net.clone();
    let was_sending = fed(rig, recording, |rig, feed| {
        net.eventually("a table begins to arrive", || {
            let held = crate::replay::bird_count(rig.bird.peer()?)?;
            ensure(held > PODS.len(), || "no route of it")
        })?;
        std::thread::park_timeout(after);
        victim(rig, which).peer()?.kill();
        let was_sending = feed.done() == 0;
        victim(rig, which).start()?;
        rig.is_whole()?;
        net.eventually_within(LIMIT, "all hold the table", || rig.agrees(routes))?;
        Ok(was_sending)
    })?;
    // The feed has no graceful restart.
    net.eventually_within(LIMIT, "the table is gone", || rig.agrees(0))?;
    Ok(was_sending)
}

/// Does something while the table is announced, from the start again whenever the feed's session ends.
fn fed<T>(
    rig: &mut Rig,
    recording: &Recording,
    action: impl FnOnce(&mut Rig, &Feed) -> Result<T>,
) -> Result<T> {
    let (feed, stop) = (Feed::new(RATE), AtomicBool::new(false));
    let (node, to) = (rig.feed.clone(), rig.reflector.node.v4());
    feed.ask_for(1);
    let feeding = || {
        let mut ended = Ok(());
        while !stop.load(Ordering::Relaxed) {
            feed.again();
            ended = feed.run(recording, to);
            std::thread::park_timeout(Duration::from_millis(100));
        }
        Ok(ended)
    };
    std::thread::scope(|scope| {
        let fed = scope.spawn(|| node.inside(feeding));
        let done = action(rig, &feed);
        stop.store(true, Ordering::Relaxed);
        feed.stop();
        let ended = fed.join().map_err(|_| Error::NotSo("the feed panicked".to_owned()))?;
        // Why the table is not there may be in what the feed says.
        match (done, ended) {
            (Err(error), Ok(Err(end))) => Err(Error::NotSo(format!("{error}; the feed: {end}"))),
            (done, _) => done,
        }
    })
}

pub(super) fn standstill(scene: &mut Scene<'_>) -> Result<String> {
    let rig = &mut scene.rig;
    rig.reflector.peer()?.freeze()?;
    let net = rig.net.clone();
    let held = net.eventually_within(Duration::from_secs(90), "the hold timers expire", || {
        ensure(rig.speakers_sessions()? == 0, || "a session is up")
    });
    rig.reflector.peer()?.thaw()?;
    held?;
    let since = Instant::now();
    rig.is_whole()?;
    Ok(format!("all sessions are up {:.1} s after it goes on", since.elapsed().as_secs_f64()))
}
