//! What the answers under way at a Worker may hold: an equal share of the system's budget, so that no
//! Worker waits for another.
//!
//! An answer takes room as it grows, and gives it back with its end. Where there is none it waits, and
//! what it has not read waits in the kernel. Two that each hold half of the room and wait for the other
//! half would wait for ever: so one may always go on beyond the share, to the end.

use futures_util::future::{Either, select};
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room is counted in units of so many bytes.
const UNIT: usize = 64 << 10;

/// The room of one Worker.
pub(super) struct Room {
    share: Arc<Semaphore>,
    /// The one permit to go beyond the share.
    beyond: Arc<Semaphore>,
}

/// What one answer holds of it.
#[derive(Default)]
pub(super) struct Held {
    share: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for so many bytes.
    pub(super) fn of(bytes: usize) -> Self {
        let units = (bytes / UNIT).min(Semaphore::MAX_PERMITS);
        Self {
            share: Arc::new(Semaphore::new(units)),
            beyond: Arc::new(Semaphore::new(1)),
        }
    }

    /// Waits until an answer may hold so many bytes in all.
    pub(super) async fn grow(&self, held: &mut Held, bytes: usize) {
        let has = held
            .share
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(UNIT).saturating_sub(has);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more == 0 || held.beyond.is_some() {
            return;
        }
        let within = Arc::clone(&self.share).acquire_many_owned(more);
        let beyond = Arc::clone(&self.beyond).acquire_owned();
        // Neither is ever closed.
        match select(pin!(within), pin!(beyond)).await {
            Either::Left((Ok(permit), _)) => match &mut held.share {
                Some(share) => share.merge(permit),
                share => *share = Some(permit),
            },
            Either::Right((Ok(permit), _)) => held.beyond = Some(permit),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::cell::Cell;
    use tokio::task::yield_now;

    /// Grows where that is possible at once.
    fn grows(room: &Room, held: &mut Held, units: usize) -> bool {
        room.grow(held, units * UNIT).now_or_never().is_some()
    }

    #[test]
    fn an_answer_waits_for_room_but_for_one() {
        let room = Room::of(10 * UNIT);
        let [mut first, mut second, mut third] = [(); 3].map(|()| Held::default());
        assert!(grows(&room, &mut first, 6));
        assert!(grows(&room, &mut second, 4));
        // The first to find none goes on beyond the share, as far as it wants.
        assert!(grows(&room, &mut second, 5));
        assert!(grows(&room, &mut second, 1000));
        assert!(!grows(&room, &mut first, 7));
        assert!(!grows(&room, &mut third, 1));
        drop(second);
        assert!(grows(&room, &mut first, 10));
        // One that is larger than all the room goes beyond it.
        drop(first);
        assert!(grows(&room, &mut third, 11));
    }

    #[tokio::test]
    async fn whatever_grows_ends_and_the_share_is_kept_but_for_one() {
        const SHARE: usize = 100;
        for seed in 0..50 {
            let dice = &mut StdRng::seed_from_u64(seed);
            let room = Room::of(SHARE * UNIT);
            let within = Cell::new(0);
            let answers = (0..40).map(|_| {
                let steps: Vec<usize> = (0..8).map(|_| dice.random_range(1..60)).collect();
                let (room, within) = (&room, &within);
                async move {
                    let mut held = Held::default();
                    let (mut units, mut counted) = (0, 0);
                    for step in steps {
                        units += step;
                        room.grow(&mut held, units * UNIT).await;
                        if held.beyond.is_none() {
                            within.set(within.get() + step);
                            counted += step;
                        }
                        assert!(within.get() <= SHARE);
                        yield_now().await;
                    }
                    within.set(within.get() - counted);
                }
            });
            join_all(answers).await;
            assert_eq!(room.share.available_permits(), SHARE);
        }
    }
}
