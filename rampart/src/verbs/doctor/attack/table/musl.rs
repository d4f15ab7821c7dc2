//! Shells and a language that `.ci/programs.sh` linked to musl, with targets linked to musl: no
//! library of glibc is in any of their processes.

use super::cases::Case;

const fn dash(way: &'static str, script: &'static str) -> Case {
    Case::new("dash (musl)", "dash-musl", "", way, script).musl()
}
const fn busybox(way: &'static str, script: &'static str) -> Case {
    Case::new("busybox sh (musl)", "busybox-musl", "sh", way, script).musl()
}
const fn lua(way: &'static str, script: &'static str) -> Case {
    Case::new("lua (musl)", "lua-musl", "-", way, script).musl()
}

/// One line a way.
pub const CASES: &[Case] = &[
    dash("a command", "@T @M; echo status $?"),
    dash("by name", "@N @M; echo status $?"),
    dash("$( )", "x=$(@T @M); s=$?; test -z \"$x\" || echo $x; echo status $s"),
    dash("background", "@T @M & wait $!; echo status $?"),
    dash("exec", "exec @T @M").says(126, ""),
    dash("after unset LD_PRELOAD", "unset LD_PRELOAD; @T @M; echo status $?"),
    dash("env -i", "env -i @T @M; echo status $?"),
    busybox("a command", "@T @M; echo status $?"),
    busybox("by name", "@N @M; echo status $?"),
    busybox("$( )", "x=$(@T @M); s=$?; test -z \"$x\" || echo $x; echo status $s"),
    busybox("a pipe", "echo @M | xargs @T; echo status $?"),
    busybox("env -i", "env -i @T @M; echo status $?"),
    Case::new("busybox (musl)", "busybox-musl", "xargs -n 2 env", "xargs", "@T @M")
        .musl()
        .says(123, ""),
    Case::new("busybox (musl)", "busybox-musl", "find @D -name @N -exec {} @M ;", "find -exec", "")
        .musl()
        .says(0, ""),
    Case::new("busybox (musl)", "busybox-musl", "timeout 60 @T @M", "timeout", "")
        .musl()
        .says(126, ""),
    Case::new(
        "busybox (musl)",
        "busybox-musl",
        "awk -f /dev/stdin",
        "awk, system",
        "BEGIN { print \"status\", system(\"@T @M\") }",
    )
    .musl(),
    lua("os.execute", "local _, _, status = os.execute('@T @M'); print('status ' .. status)"),
    lua(
        "io.popen",
        "local f = io.popen('@T @M'); io.write(f:read('a')); local _, _, status = f:close(); print('status ' .. status)",
    ),
];
