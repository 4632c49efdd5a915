//! Work on a thread of its own, waited for by a thread that may stand still or by a task that must
//! hear of other things meanwhile.

use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub(crate) struct Underway<T> {
    thread: JoinHandle<T>,
    over: oneshot::Receiver<()>,
}

impl<T: Send + 'static> Underway<T> {
    pub(crate) fn begin(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (alive, over) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _alive = alive;
            work()
        });
        Self { thread, over }
    }

    /// Completes when the work is over, however it ended.
    pub(crate) async fn over(&mut self) {
        let _ = (&mut self.over).await;
    }

    /// What came of it, or `None` if it panicked.
    pub(crate) fn wait(self) -> Option<T> {
        self.thread.join().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_waited_for_either_way() {
        let mut work = Underway::begin(|| 7);
        work.over().await;
        assert_eq!(work.wait(), Some(7));
        assert_eq!(Underway::begin(|| 8).wait(), Some(8));
        let mut broken = Underway::begin(|| panic!("on purpose"));
        broken.over().await;
        assert_eq!(broken.wait(), None::<()>);
    }
}
