//! Tools that start other programs.

use super::cases::Case;

const fn from_dash(tool: &'static str, script: &'static str) -> Case {
    Case::new(tool, "dash", "", "from dash", script)
}

const fn make(way: &'static str, files: &'static [(&'static str, &'static str)]) -> Case {
    Case::new("make", "make", "-s", way, "").with(files)
}

/// Lets a server of its own run what stands in a file, and waits for its status.
const TMUX: &str = r#"
t="tmux -S @G/socket-$$"
$t -f /dev/null new-session -d cat
$t source-file @G/tmux.conf
echo status $?
$t kill-server
"#;

/// The same, by a server that was started past the library and outside of the tree.
const OUTER_TMUX: &str = r#"
t="tmux -S @G/socket-$$"
busybox env -i PATH="$PATH" M="$M" $t -f /dev/null new-session -d cat
$t source-file @G/tmux.conf
$t kill-server
"#;

/// An ordinary user who may use sudo, in a private mount namespace.
macro_rules! by_sudo {
    ($script:literal) => {
        concat!(
            "umask 077\necho 'ALL ALL=(ALL) NOPASSWD: ALL' >@G/sudoers\n",
            "chmod 440 @G/sudoers\nmount --bind @G/sudoers /etc/sudoers\numask 022\n",
            "user='setpriv --reuid 65534 --regid 65534 --clear-groups'\n",
            $script,
            "\necho status $?\n"
        )
    };
}
const fn sudo(way: &'static str, script: &'static str) -> Case {
    Case::new("sudo, as a user", "unshare", "-m bash", way, script)
}

/// A command that names the program, for such a server.
const OUTER_TMUX_COMMAND: &str = r#"
t="tmux -S @G/socket-$$"
busybox env -i PATH="$PATH" $t -f /dev/null new-session -d cat
$t run-shell '@T @M'
echo status $?
$t kill-server
"#;

/// One line a way.
pub const CASES: &[Case] = &[
    make("a recipe", &[("makefile", "all:\n\t@T @M\n")]).says(2, ""),
    make("a recipe by shell", &[("makefile", "all:\n\t@T @M && true\n")]).says(2, ""),
    make("$(shell )", &[("makefile", "x := $(shell @T @M)\nall:\n\t@echo $(x)\n")]).says(0, "\n"),
    Case::new("git", "git", "x", "an alias", "")
        .with(&[("home/.gitconfig", "[alias]\n\tx = !@T @M\n")])
        .says(126, ""),
    Case::new("npm", "npm", "run -s x", "a script", "")
        .with(&[("package.json", "{\"scripts\": {\"x\": \"@T @M\"}}")])
        .says(126, ""),
    Case::new("xargs", "xargs", "-n 2 env", "arguments from standard input", "@T @M").says(123, ""),
    Case::new("find", "find", "@D -maxdepth 1 -name @N -exec {} @M ;", "-exec ;", "").says(0, ""),
    Case::new("find", "find", "@D -maxdepth 1 -name @N -execdir {} @M ;", "-execdir", "")
        .says(0, ""),
    Case::new("sed", "sed", "-f /dev/stdin package.json", "the command e", "1e @T @M\nd\n")
        .with(&[("package.json", "{}\n")])
        .says(0, ""),
    Case::new("sqlite3", "sqlite3", "", ".shell", ".shell @T @M\n").says(0, ""),
    from_dash("env", "env @T @M; echo status $?"),
    from_dash("env -i", "env -i @T @M; echo status $?"),
    from_dash("env -u LD_PRELOAD", "env -u LD_PRELOAD @T @M; echo status $?"),
    from_dash("nice", "nice -n 1 @T @M; echo status $?"),
    from_dash("timeout", "timeout 60 @T @M; echo status $?"),
    from_dash("nohup", "nohup @T @M; echo status $?"),
    from_dash("setsid", "setsid -w @T @M; echo status $?"),
    Case::new("sudo, as root", "sudo", "-n bash", "a shell in it", "@T @M; echo status $?"),
    Case::new("su, as root", "su", "root -s /bin/sh", "a shell in it", "@T @M; echo status $?"),
    // The program is named in the line that the library judges before it starts sudo.
    sudo("the program", by_sudo!("$user sudo -n @T @M")).unconfirmed(),
    sudo("sh -c", by_sudo!("$user sudo -n sh -c '@T @M'")).unconfirmed(),
    // What sudo starts from elsewhere is out of reach: its loader drops the library.
    sudo("a shell in it", by_sudo!("echo '@T @M' | $user sudo -n sh")).gap(),
    Case::new(
        "bubblewrap",
        "bwrap",
        "--dev-bind / / bash",
        "a shell in it",
        "@T @M; echo status $?",
    ),
    Case::new("unshare -m", "unshare", "-m bash", "a shell in it", "@T @M; echo status $?"),
    from_dash("stdbuf", "stdbuf -o0 @T @M; echo status $?"),
    Case::new("tmux", "dash", "", "run-shell, by its server", TMUX)
        .with(&[("tmux.conf", "run-shell '@T @M'\n")])
        .unheard(),
    Case::new("tmux", "dash", "", "run-shell, by a server outside the tree", OUTER_TMUX)
        .with(&[("tmux.conf", "run-shell '@T @M'\n")])
        .gap(),
    Case::new("tmux", "dash", "", "a command for a server outside the tree", OUTER_TMUX_COMMAND)
        .unconfirmed(),
    Case::new("valgrind", "valgrind", "-q @L -f execve @T @M", "execve under it", ""),
    Case::new("valgrind", "valgrind", "-q @L posix_spawn @T @M", "posix_spawn under it", ""),
    Case::new("valgrind", "valgrind", "-q @L system @T @M", "system under it", ""),
];
