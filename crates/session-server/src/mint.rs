//! New IDs and secrets.

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretBox;
use session_types::{ID_SEQUENCE_MAX, Id};

use crate::environment::{CLOCK_AHEAD_MAX, Clock, Random, RandomFailed};

/// Creates IDs that sort in the order of their creation by this minter, unless the clock was wrong, and secrets.
pub struct Minter {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Time in milliseconds and sequence of the last ID.
    last: Mutex<(u64, u32)>,
}

impl Minter {
    /// A minter with this clock and this random source.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random, last: Mutex::new((0, 0)) }
    }

    /// A new ID. Fails if the random source does.
    ///
    /// When the clock goes back by at most [`CLOCK_AHEAD_MAX`], IDs continue from the time of the last one. When it goes
    /// back further, it was wrong: IDs follow it at once, and sort before those that were minted meanwhile. They are
    /// unique by their random bits.
    pub fn id(&self) -> Result<Id, RandomFailed> {
        let mut tail = [0; 10];
        self.random.fill(&mut tail)?;
        let now_ms = self.clock.now().as_ms();
        let ahead_max_ms = u64::try_from(CLOCK_AHEAD_MAX.as_millis()).unwrap_or(u64::MAX);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = match *last {
            (last_ms, _) if now_ms > last_ms || last_ms - now_ms > ahead_max_ms => (now_ms, 0),
            (last_ms, ID_SEQUENCE_MAX) => (last_ms + 1, 0),
            (last_ms, sequence) => (last_ms, sequence + 1),
        };
        Ok(Id::compose(last.0, last.1, tail))
    }

    /// A new salt of 128 bits. Fails if the random source does.
    pub fn salt(&self) -> Result<[u8; 16], RandomFailed> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A new secret of 256 bits. Fails if the random source does.
    pub fn secret(&self) -> Result<SecretBox<[u8; 32]>, RandomFailed> {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes)?;
        Ok(SecretBox::new(Box::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Instant;

    use session_types::Timestamp;

    use super::*;
    use crate::environment::{SystemClock, SystemRandom};

    struct ManualClock(AtomicU64);

    impl Clock for ManualClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_ms(self.0.load(Ordering::SeqCst)).unwrap()
        }

        fn monotonic(&self) -> Instant {
            unreachable!("minting takes the wall clock")
        }
    }

    #[test]
    fn ids_of_eight_threads_are_unique_and_each_threads_are_in_order() {
        let minter = Minter::new(Arc::new(SystemClock), Arc::new(SystemRandom));
        let ids_by_thread: Vec<Vec<Id>> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| (0..10_000).map(|_| minter.id().unwrap()).collect())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for ids in &ids_by_thread {
            assert!(ids.is_sorted_by(|one, next| one < next));
        }
        let unique: HashSet<Id> = ids_by_thread.into_iter().flatten().collect();
        assert_eq!(unique.len(), 80_000);
        let places: HashSet<_> = unique.iter().map(|id| (id.time_ms(), id.sequence())).collect();
        assert_eq!(places.len(), 80_000, "time and sequence alone are unique within a process");
    }

    #[test]
    fn ids_stay_in_order_when_the_clock_stops_or_goes_back() {
        let clock = Arc::new(ManualClock(AtomicU64::new(5_000)));
        let minter = Minter::new(clock.clone(), Arc::new(SystemRandom));
        let mut ids = vec![minter.id().unwrap(), minter.id().unwrap()];
        clock.0.store(4_000, Ordering::SeqCst);
        ids.push(minter.id().unwrap());
        clock.0.store(6_000, Ordering::SeqCst);
        ids.push(minter.id().unwrap());
        assert!(ids.is_sorted_by(|one, next| one < next));
        let places: Vec<_> = ids.iter().map(|id| (id.time_ms(), id.sequence())).collect();
        assert_eq!(places, [(5_000, 0), (5_000, 1), (5_000, 2), (6_000, 0)]);
    }

    #[test]
    fn ids_are_never_more_than_seconds_ahead_of_the_clock() {
        let clock = Arc::new(ManualClock(AtomicU64::new(100_000)));
        let minter = Minter::new(clock.clone(), Arc::new(SystemRandom));
        minter.id().unwrap();
        for (now_ms, expected) in
            [(95_000, (100_000, 1)), (94_999, (94_999, 0)), (94_999, (94_999, 1)), (0, (0, 0))]
        {
            clock.0.store(now_ms, Ordering::SeqCst);
            let id = minter.id().unwrap();
            assert_eq!((id.time_ms(), id.sequence()), expected, "at {now_ms} ms");
        }
    }

    #[test]
    fn a_full_sequence_continues_in_the_next_millisecond() {
        let minter = Minter::new(Arc::new(ManualClock(AtomicU64::new(7))), Arc::new(SystemRandom));
        *minter.last.lock().unwrap() = (7, ID_SEQUENCE_MAX);
        let id = minter.id().unwrap();
        assert_eq!((id.time_ms(), id.sequence()), (8, 0));
    }

    #[test]
    fn no_id_and_no_secret_is_created_without_randomness() {
        struct Broken;
        impl Random for Broken {
            fn fill(&self, _: &mut [u8]) -> Result<(), RandomFailed> {
                Err(RandomFailed("broken".to_owned()))
            }
        }
        let minter = Minter::new(Arc::new(SystemClock), Arc::new(Broken));
        assert!(minter.id().is_err() && minter.secret().is_err());
    }
}
