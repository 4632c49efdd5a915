//! Threads that are used again. The bench needs one for every connection and every server, many
//! hundreds a second, and to wake a waiting one costs a fraction of making it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;

type Work = Box<dyn FnOnce() + Send>;

static IDLE: Mutex<Vec<Sender<Work>>> = Mutex::new(Vec::new());

/// Does the work on a thread of its own. The receiver hangs up when the work is over, also by a
/// panic.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> Receiver<()> {
    let (alive, over) = mpsc::channel();
    let work: Work = Box::new(move || {
        let _alive: Sender<()> = alive;
        work();
    });
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = match idle {
        None => work,
        Some(worker) => match worker.send(work) {
            Ok(()) => return over,
            Err(unsent) => unsent.0,
        },
    };
    thread::spawn(move || serve(work));
    over
}

/// One piece of work after the other. A panic ends the thread, which is then not idle either.
fn serve(first: Work) {
    let (own, next) = mpsc::channel();
    let mut work = first;
    loop {
        work();
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(own.clone());
        match next.recv() {
            Ok(more) => work = more,
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_at_the_same_time_and_its_end_is_told() {
        let (send, receive) = mpsc::channel::<u32>();
        let (answer, heard) = mpsc::channel();
        // The first can only end after the second has run.
        let first = spawn(move || answer.send(receive.recv().unwrap()).unwrap());
        let second = spawn(move || send.send(7).unwrap());
        assert_eq!(heard.recv().unwrap(), 7);
        assert!(first.recv().is_err() && second.recv().is_err());
    }

    #[test]
    fn a_panic_ends_one_piece_of_work_and_no_other() {
        assert!(spawn(|| panic!("on purpose")).recv().is_err());
        let (send, receive) = mpsc::channel();
        let _ = spawn(move || send.send("still here").unwrap());
        assert_eq!(receive.recv().unwrap(), "still here");
    }
}
