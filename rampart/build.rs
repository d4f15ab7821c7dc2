//! Links the command at a fixed address. An agent waits for `rampart hook` at every step, and a
//! position-independent program begins with a write to each of a hundred pages of addresses, a third
//! of all page faults of such a call (`bench hook`). ARCHITECTURE.md says what that costs. What answers others lies
//! together (`order.ld`).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=order.ld");
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    if of("CARGO_CFG_TARGET_OS") == "linux" && of("CARGO_CFG_TARGET_ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
        // Measured there. What is not optimised has too many functions to be sorted in good time.
        if of("CARGO_CFG_TARGET_ARCH") == "x86_64" && of("PROFILE") == "release" {
            println!("cargo:rustc-link-arg-bins=-Wl,-T,{}/order.ld", of("CARGO_MANIFEST_DIR"));
        }
    }
}
