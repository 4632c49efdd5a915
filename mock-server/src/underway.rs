//! Work that goes on beside the caller, waited for by a thread that may stand still or by a task
//! that must hear of other things meanwhile.

use std::sync::mpsc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub(crate) struct Underway<T> {
    outcome: mpsc::Receiver<T>,
    over: oneshot::Receiver<()>,
}

impl<T: Send + 'static> Underway<T> {
    /// On a thread of its own.
    pub(crate) fn begin(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (underway, work) = Self::of(work);
        std::thread::spawn(work);
        underway
    }

    /// On a thread that the runtime has already: making one takes as long as a short piece of
    /// work. Only for work that waits for nothing, because that thread serves others as well.
    pub(crate) fn begin_on(runtime: &Handle, work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (underway, work) = Self::of(work);
        runtime.spawn(async { work() });
        underway
    }

    fn of(work: impl FnOnce() -> T + Send + 'static) -> (Self, impl FnOnce() + Send + 'static) {
        let (tell, outcome) = mpsc::sync_channel(1);
        let (alive, over) = oneshot::channel::<()>();
        let work = move || {
            // Dropped last, also by a panic: whoever is woken by it finds the outcome.
            let _alive = alive;
            // Nobody may be waiting any more.
            let _ = tell.send(work());
        };
        (Self { outcome, over }, work)
    }

    /// Completes when the work is over, however it ended.
    pub(crate) async fn over(&mut self) {
        let _ = (&mut self.over).await;
    }

    /// What came of it, or `None` if it panicked.
    pub(crate) fn wait(self) -> Option<T> {
        self.outcome.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn it_is_waited_for_either_way() {
        let runtime = Handle::current();
        for on in [None, Some(&runtime)] {
            let begin = |work: fn() -> i32| match on {
                None => Underway::begin(work),
                Some(runtime) => Underway::begin_on(runtime, work),
            };
            let mut work = begin(|| 7);
            work.over().await;
            assert_eq!(work.wait(), Some(7));
            let mut broken = begin(|| panic!("on purpose"));
            broken.over().await;
            assert_eq!(broken.wait(), None);
        }
        assert_eq!(Underway::begin(|| 8).wait(), Some(8));
    }
}
