//! The fixtures are compiled into this crate; a file added there must rebuild it.

fn main() {
    println!("cargo:rerun-if-changed=../fixtures");
}
