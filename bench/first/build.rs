//! Links as `preload/build.rs` does, as far as that decides how many pages a verdict touches.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../preload/order.ld");
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{script}");
}
