//! Ways of other languages.

use super::cases::Case;

const fn node(way: &'static str, script: &'static str) -> Case {
    Case::new("node", "node", "-", way, script)
}
const fn perl(way: &'static str, script: &'static str) -> Case {
    Case::new("perl", "perl", "-", way, script)
}
const fn ruby(way: &'static str, script: &'static str) -> Case {
    Case::new("ruby", "ruby", "-", way, script)
}
const fn lua(way: &'static str, script: &'static str) -> Case {
    Case::new("lua", "lua", "-", way, script)
}
const fn bun(way: &'static str, script: &'static str) -> Case {
    Case::new("bun", "bun", "run -", way, script)
}
const fn php(way: &'static str, script: &'static str) -> Case {
    Case::new("php", "php", "", way, script)
}

/// One line a way.
pub const CASES: &[Case] = &[
    node(
        "spawnSync",
        "const r = require('child_process').spawnSync('@T', ['@M'], {stdio: 'inherit'}); console.log('status', r.status)",
    ),
    node(
        "spawnSync, env: {}",
        "const r = require('child_process').spawnSync('@T', ['@M'], {stdio: 'inherit', env: {}}); console.log('status', r.status)",
    ),
    node(
        "spawnSync, shell",
        "const r = require('child_process').spawnSync('@T @M', {stdio: 'inherit', shell: true}); console.log('status', r.status)",
    ),
    node(
        "execSync",
        "try { require('child_process').execSync('@T @M', {stdio: 'inherit'}) } catch (e) { console.log('status', e.status) }",
    ),
    node(
        "execFileSync",
        "try { require('child_process').execFileSync('@T', ['@M'], {stdio: 'inherit'}) } catch (e) { console.log('status', e.status) }",
    ),
    node(
        "exec",
        "require('child_process').exec('@T @M', (e, out, err) => { process.stdout.write(out); process.stderr.write(err); console.log('status', e.code) })",
    ),
    node(
        "spawn in a worker",
        "const {Worker} = require('worker_threads'); new Worker(`require('child_process').spawn('@T', ['@M'], {stdio: 'inherit'}).on('exit', c => console.log('status', c))`, {eval: true})",
    ),
    bun(
        "Bun.spawnSync",
        "const r = Bun.spawnSync(['@T', '@M'], {stdio: ['inherit', 'inherit', 'inherit']}); console.log('status', r.exitCode)",
    ),
    bun(
        "Bun.spawnSync by name",
        "const r = Bun.spawnSync(['@N', '@M'], {stdio: ['inherit', 'inherit', 'inherit']}); console.log('status', r.exitCode)",
    ),
    bun(
        "Bun.spawn, env: {}",
        "const p = Bun.spawn(['@T', '@M'], {env: {}, stdio: ['inherit', 'inherit', 'inherit']}); console.log('status', await p.exited)",
    ),
    bun("Bun.$", "const r = await Bun.$`@T @M`.nothrow(); console.log('status', r.exitCode)"),
    bun(
        "child_process.spawnSync",
        "const r = require('child_process').spawnSync('@T', ['@M'], {stdio: 'inherit'}); console.log('status', r.status)",
    ),
    bun(
        "child_process.execSync",
        "try { require('child_process').execSync('@T @M', {stdio: 'inherit'}) } catch (e) { console.log('status', e.status) }",
    ),
    perl("system", "system('@T', '@M'); print 'status ', $? >> 8, qq(\\n)"),
    perl("system, shell", "system('@T @M && true'); print 'status ', $? >> 8, qq(\\n)"),
    perl("exec", "if (!fork) { exec '@T', '@M' } wait; print 'status ', $? >> 8, qq(\\n)"),
    perl("backticks", "print `@T @M`; print 'status ', $? >> 8, qq(\\n)"),
    perl(
        "open",
        "open(my $f, '-|', '@T', '@M'); print <$f>; close $f; print 'status ', $? >> 8, qq(\\n)",
    ),
    perl(
        "syscall",
        "if (!fork) { my @a = ('@T', '@M'); syscall(59, $a[0], pack('ppQ', @a, 0), 0) } wait; print 'status ', $? >> 8, qq(\n)",
    ),
    perl("%ENV emptied", "%ENV = (); system('@T', '@M'); print 'status ', $? >> 8, qq(\\n)"),
    ruby("system", "system('@T', '@M'); puts \"status #{$?.exitstatus}\""),
    ruby("backticks", "print `@T @M`; puts \"status #{$?.exitstatus}\""),
    ruby("spawn", "Process.wait(spawn('@T', '@M')); puts \"status #{$?.exitstatus}\""),
    ruby(
        "spawn, unsetenv_others",
        "Process.wait(spawn({}, '@T', '@M', unsetenv_others: true)); puts \"status #{$?.exitstatus}\"",
    ),
    ruby("exec", "Process.wait(fork { exec '@T', '@M' }); puts \"status #{$?.exitstatus}\""),
    ruby(
        "IO.popen",
        "IO.popen(['@T', '@M']) { |io| print io.read }; puts \"status #{$?.exitstatus}\"",
    ),
    lua("os.execute", "local _, _, status = os.execute('@T @M'); print('status ' .. status)"),
    lua(
        "io.popen",
        "local f = io.popen('@T @M'); io.write(f:read('a')); local _, _, status = f:close(); print('status ' .. status)",
    ),
    Case::new(
        "Tcl",
        "tclsh",
        "",
        "exec",
        "if {[catch {exec -ignorestderr @T @M >@stdout} text options]} {puts \"status [lindex [dict get $options -errorcode] 2]\"}",
    ),
    Case::new(
        "Tcl",
        "tclsh",
        "",
        "open",
        "set f [open {|@T @M 2>@stderr}]\nputs -nonewline [read $f]\nif {[catch {close $f} text options]} {puts \"status [lindex [dict get $options -errorcode] 2]\"}",
    ),
    php("system", "<?php passthru('@T @M', $status); echo \"status $status\\n\";"),
    php(
        "proc_open",
        "<?php $p = proc_open(['@T', '@M'], [], $pipes); $s = proc_close($p); echo \"status $s\\n\";",
    ),
    php(
        "pcntl_exec",
        "<?php if (!pcntl_fork()) { pcntl_exec('@T', ['@M']); } pcntl_wait($s); echo 'status ', pcntl_wexitstatus($s), \"\\n\";",
    ),
    Case::new(
        "awk",
        "awk",
        "-f /dev/stdin",
        "system",
        "BEGIN { print \"status\", system(\"@T @M\") }",
    ),
    Case::new(
        "awk",
        "awk",
        "-f /dev/stdin",
        "a pipe to getline",
        "BEGIN { c = \"@T @M\"; while ((c | getline line) > 0) print line; close(c) }",
    )
    .says(0, ""),
];
