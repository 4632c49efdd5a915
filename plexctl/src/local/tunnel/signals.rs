//! The signals that end a tunnel. The first one ends it in good order, a second one at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use super::Event;

/// Signals that are being caught.
pub(super) struct Caught(Arc<AtomicBool>);

impl Caught {
    /// From now on signals do what they do by default.
    pub(super) fn let_through(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[cfg(unix)]
pub(super) fn catch(events: Sender<Event>) -> std::io::Result<Caught> {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;
    use signal_hook::low_level::pipe;

    use super::End;

    let through = Arc::new(AtomicBool::new(false));
    let (mut wake, woken) = UnixStream::pair()?;
    let mut raised = Vec::new();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let flagged = Arc::new(AtomicBool::new(false));
        flag::register_conditional_default(signal, Arc::clone(&through))?;
        flag::register(signal, Arc::clone(&flagged))?;
        pipe::register(signal, woken.try_clone()?)?;
        raised.push(flagged);
    }
    std::thread::spawn(move || {
        while wake.read(&mut [0; 16]).is_ok_and(|read| read > 0) {
            let ends = [End::Interrupted, End::Terminated, End::HungUp];
            let first = raised.iter().zip(ends).find(|(flagged, _)| flagged.load(Ordering::SeqCst));
            if let Some((_, end)) = first {
                events.send(Event::Ended(end)).ok();
                return;
            }
        }
    });
    Ok(Caught(through))
}

/// Elsewhere Ctrl-C ends the process, and with it the tunnel.
#[cfg(not(unix))]
pub(super) fn catch(_: Sender<Event>) -> std::io::Result<Caught> {
    Ok(Caught(Arc::default()))
}
