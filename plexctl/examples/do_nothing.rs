//! A process that starts and ends: the yardstick for `plexctl --help`.

fn main() {}
