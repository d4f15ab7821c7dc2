//! Links `librampart.so` so that it loads everywhere: against a stub libc without symbol versions,
//! so that no version of the build machine's glibc is required of the target, and without
//! anything else. Only for the `preload` profile (`panic = "abort"`); the other profiles build
//! the crate as an ordinary library, so that tests and lints of the workspace need no set-up.
//!
//! Cargo does not tell a build script the profile's name or panic strategy (`CARGO_CFG_PANIC`
//! is the target's default), so the name is read from the path of `OUT_DIR`
//! (`<target>/<profile>/build/<package>/out`). `.ci/symbols.sh` notices if that ever changes.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// What the library takes from libc. `.ci/symbols.sh` holds the built file to this list.
const FROM_LIBC: &str = include_str!("imports.txt");

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=imports.txt");
    println!("cargo:rerun-if-changed=order.ld");
    let out = env::var("OUT_DIR").map_err(|error| format!("OUT_DIR: {error}"))?;
    let profile = Path::new(&out).ancestors().nth(3).and_then(Path::file_name);
    if profile.is_none_or(|name| name != "preload") {
        return Ok(());
    }
    build_stub_libc(Path::new(&out))?;
    println!("cargo:rustc-link-search=native={out}");
    // Two segments in place of four: each costs every process that starts a mapping and a page
    // fault, some 5 µs. What RELRO would protect is the table of libc's addresses; this is no
    // boundary against code that already writes where it likes (docs/threat-model.md). With lld,
    // rustc's linker for x86-64, the writable segment also starts on a page of its own.
    let is_lld = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    let segments: &[&str] = if is_lld {
        &["-Wl,--no-rosegment", "-Wl,-z,separate-loadable-segments"]
    } else {
        &["-Wl,-z,noseparate-code"]
    };
    let always = [
        "-nostartfiles",
        "-nodefaultlibs",
        "-Wl,-z,now",
        "-Wl,-z,defs",
        "-Wl,-z,initfirst",
        "-Wl,-z,norelro",
        "-Wl,-z,noexecstack",
        "-Wl,-e,rampart_stub",
        "-Wl,-soname,librampart.so",
    ];
    for argument in always.iter().chain(segments) {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
    println!("cargo:rustc-cdylib-link-arg=-L{out}");
    let order = concat!(env!("CARGO_MANIFEST_DIR"), "/order.ld");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-T,{order}");
    Ok(())
}

/// A `libc.so` that has the names and nothing else: `DT_NEEDED` becomes `libc.so.6`, which musl's
/// loader recognises as itself, and no version is recorded.
fn build_stub_libc(out: &Path) -> Result<(), String> {
    let source: String = FROM_LIBC
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|name| match name {
            "environ" => "char **environ;\n".to_owned(),
            name => format!("void {name}(void) {{}}\n"),
        })
        .collect();
    let file = out.join("stub_libc.c");
    fs::write(&file, source).map_err(|error| format!("{}: {error}", file.display()))?;
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let host = env::var("HOST").unwrap_or_default();
    let compiler = match env::var("CC") {
        Ok(compiler) => compiler,
        Err(_) if !host.starts_with(&arch) => format!("{arch}-linux-gnu-gcc"),
        Err(_) => "cc".to_owned(),
    };
    let status = Command::new(&compiler)
        .args(["-shared", "-nostdlib", "-fno-builtin", "-w", "-Wl,-soname,libc.so.6", "-o"])
        .arg(out.join("libc.so"))
        .arg(&file)
        .status()
        .map_err(|error| format!("cannot run {compiler}: {error}; install gcc or set CC"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{compiler} could not build {}: {status}", file.display()))
    }
}
