//! Root file systems for containers, each with a program that may be started in it, one that may not, and one that is asked about.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{find, run};

/// Ways in which a shell starts the program `@`; what it prints is `ran as x`.
const EVERYWHERE: [&str; 7] = [
    "@ x",
    "/bin/@ x",
    "sh -c '@ x'",
    "n=$(echo @); $n x",
    "env -i /bin/@ x",
    "echo x | xargs @",
    "find /bin/sh -exec @ x ';'",
];
const DEBIAN: [&str; 8] = [
    "bash -c '@ x; :'",
    "timeout 5 @ x",
    "nice @ x",
    "setsid -w @ x",
    "setpriv --no-new-privs @ x",
    "echo @ | perl -ne 'chomp; system $_, \"x\"'",
    "echo @ | perl -ne 'chomp; exec $_, \"x\"'",
    "mkdir /tmp/p; ln -s /bin/@ /tmp/p/; run-parts -a x /tmp/p; rm -r /tmp/p",
];
const ALPINE: [&str; 5] = [
    "timeout 5 @ x",
    "nice @ x",
    "nohup @ x",
    "awk 'BEGIN { system(\"@ x\") }'",
    "echo @ | awk '{ system($1 \" x\") }'",
];

/// What containers are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Debian's smallest system, by debootstrap (`.ci/roots.sh`).
    Debian,
    /// This machine's shell with the libraries that it needs, nothing else.
    Glibc,
    /// Alpine's layout: musl's loader and a busybox that is linked to it, both built from Debian's packages.
    Alpine,
    /// Nothing but a static busybox.
    Static,
}

impl Kind {
    /// A name for bundles and sessions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Glibc => "glibc",
            Self::Alpine => "alpine",
            Self::Static => "static",
        }
    }

    /// Ways of starting a program that this root has the programs for.
    pub fn routes(self) -> Vec<&'static str> {
        match self {
            Self::Debian => [&EVERYWHERE[..], &DEBIAN].concat(),
            Self::Alpine => [&EVERYWHERE[..], &ALPINE].concat(),
            Self::Glibc | Self::Static => EVERYWHERE[..4].to_vec(),
        }
    }

    /// Makes the root. `false`, with a line that says why, if what it takes is not installed.
    pub fn make(self, root: &Path) -> bool {
        if root.exists() {
            return true;
        }
        fs::create_dir_all(root).unwrap();
        let made = match self {
            Self::Debian => debian(root),
            Self::Glibc => glibc(root),
            Self::Alpine => alpine(root),
            Self::Static => busybox("busybox", root),
        };
        if let Err(missing) = made {
            println!("skipped: {}: {missing}", self.name());
            fs::remove_dir_all(root).unwrap();
            return false;
        }
        for name in ["forbidden", "permitted", "asked"] {
            let path = root.join("bin").join(name);
            fs::write(&path, format!("#!/bin/sh\necho {name} ran as $1\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        true
    }
}

/// The root that `.ci/roots.sh` made, if it did.
pub fn debootstrapped() -> Result<PathBuf, &'static str> {
    let root = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("roots/glibc");
    let is_there = root.join("etc/debian_version").exists();
    is_there.then_some(root).ok_or("no root by debootstrap; .ci/roots.sh makes it")
}

fn debian(root: &Path) -> Result<(), &'static str> {
    let from = debootstrapped()?.join(".");
    // Links to its files: the containers get it read-only.
    let copied = |how: &str| run(Command::new("cp").arg(how).arg(&from).arg(root), "").status == 0;
    assert!(copied("-al") || copied("-a"), "{}", root.display());
    Ok(())
}

fn directories(root: &Path, names: &[&str]) {
    for name in names {
        fs::create_dir_all(root.join(name)).unwrap();
    }
}

/// Copies the shell into `root`, with the libraries and the loader that it needs.
fn glibc(root: &Path) -> Result<(), &'static str> {
    directories(root, &["bin", "proc", "dev", "tmp", "etc", "sys"]);
    let shell = find("dash").ok_or("no dash")?;
    let put = |from: &Path, to: &Path| {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    put(&shell, &root.join("bin/sh"));
    let needs = run(Command::new("ldd").arg(shell), "").stdout;
    for word in needs.split_whitespace().filter(|word| word.starts_with('/')) {
        put(Path::new(word), &root.join(&word[1..]));
    }
    Ok(())
}

fn busybox(program: &str, root: &Path) -> Result<(), &'static str> {
    directories(root, &["bin", "proc", "dev", "tmp", "etc", "sys"]);
    let program = find(program).ok_or("no busybox of this kind; .ci/install.sh gets it")?;
    fs::copy(program, root.join("bin/busybox")).unwrap();
    for name in ["sh", "ash"] {
        symlink("/bin/busybox", root.join("bin").join(name)).unwrap();
    }
    Ok(())
}

fn alpine(root: &Path) -> Result<(), &'static str> {
    let machine = std::env::consts::ARCH;
    let loader = PathBuf::from(format!("/lib/ld-musl-{machine}.so.1"));
    if !loader.exists() {
        return Err("no musl (Debian: musl)");
    }
    busybox("busybox-musl", root)?;
    let names =
        ["lib", "sbin", "usr/bin", "usr/sbin", "usr/lib", "home/app", "root", "run", "var", "opt"];
    directories(root, &names);
    // musl's loader is its library, too.
    fs::copy(&loader, root.join("lib").join(loader.file_name().unwrap())).unwrap();
    symlink(loader.file_name().unwrap(), root.join(format!("lib/libc.musl-{machine}.so.1")))
        .unwrap();
    for name in ["env", "xargs", "find", "timeout", "nice", "nohup", "awk"] {
        symlink("/bin/busybox", root.join("usr/bin").join(name)).unwrap();
    }
    let passwd = "root:x:0:0:root:/root:/bin/ash\napp:x:1000:1000::/home/app:/bin/ash\n";
    for (path, text) in [("passwd", passwd), ("alpine-release", "3.18.0\n")] {
        fs::write(root.join("etc").join(path), text).unwrap();
    }
    Ok(())
}
