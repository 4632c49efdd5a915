//! How plexctl behaves as a process: no core dump while it holds secrets, no stack trace, no 101
//! (docs/decisions/0021-*.md).

use std::panic;

use crate::output;

/// Keeps secrets out of core dumps and away from debuggers of the same user, and a session from
/// being forgotten because a file could not grow. Nothing depends on success: a sandbox may forbid
/// the calls. ssh is not affected, since exec undoes all but the limit on core dumps.
#[cfg(unix)]
pub(crate) fn harden() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // A limit on file sizes kills by default; caught, it fails the write as a full disk does.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default()).ok();
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).ok();
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
    }
}

#[cfg(not(unix))]
pub(crate) fn harden() {}

/// A panic says where, and nothing else: its message could hold a secret, a trace would be noise.
pub(crate) fn quiet_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
        output::complaint(&format!("internal error: please report this defect{place}"));
    }));
}
