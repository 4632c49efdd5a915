//! What a system keeps in an installation beside sessions, made when it is first asked for: an
//! installation knows no system, and one that nobody speaks to costs nothing.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// Something kept in an annex, to which time happens.
pub trait Kept: Any + Send + Sync {
    /// Does what has become due by `now`.
    fn settle(&self, now: Timestamp);
}

#[derive(Default)]
pub struct Annex(Mutex<HashMap<TypeId, Room>>);

struct Room {
    kept: Arc<dyn Kept>,
    typed: Arc<dyn Any + Send + Sync>,
}

impl Annex {
    /// The one thing of this type, which its first use makes.
    pub fn room<T: Kept>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = rooms.get(&TypeId::of::<T>())
            && let Ok(found) = Arc::clone(&room.typed).downcast()
        {
            return found;
        }
        let made = Arc::new(make());
        let room = Room { kept: Arc::clone(&made) as _, typed: Arc::clone(&made) as _ };
        rooms.insert(TypeId::of::<T>(), room);
        made
    }

    pub fn settle(&self, now: Timestamp) {
        let rooms: Vec<Arc<dyn Kept>> = {
            let rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            rooms.values().map(|room| Arc::clone(&room.kept)).collect()
        };
        for room in rooms {
            room.settle(now);
        }
    }
}

impl fmt::Debug for Annex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Annex")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    struct Diary(AtomicI64);

    impl Kept for Diary {
        fn settle(&self, now: Timestamp) {
            self.0.store(now.as_second(), Ordering::Relaxed);
        }
    }

    #[test]
    fn a_room_is_made_once_and_time_comes_to_it() {
        let annex = Annex::default();
        let diary = annex.room(|| Diary(AtomicI64::new(0)));
        let again = annex.room(|| Diary(AtomicI64::new(7)));
        assert!(Arc::ptr_eq(&diary, &again));
        annex.settle(Timestamp::from_second(60).unwrap());
        assert_eq!(again.0.load(Ordering::Relaxed), 60);
    }
}
