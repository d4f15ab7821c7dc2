//! The table: one line a way of starting a program.

use super::Cell;
use Cell::{Denied, Ran, SelfCheck};

/// One way of one runtime.
#[derive(Clone, Copy)]
pub struct Case {
    /// Name in the table.
    pub runtime: &'static str,
    /// What is called.
    pub way: &'static str,
    /// The program that has to be installed.
    pub program: &'static str,
    /// Its arguments, separated by blanks.
    pub args: &'static str,
    /// What comes on its standard input.
    pub script: &'static str,
    /// Files that it reads, below the guard's directory.
    pub files: &'static [(&'static str, &'static str)],
    /// What becomes of a forbidden dynamic program.
    pub dynamic: Cell,
    /// What becomes of a forbidden static program.
    pub static_target: Cell,
    /// Exit status and standard output of the runtime when the program was denied.
    pub denied: (i32, &'static str),
    /// Whether what the program prints comes to us.
    pub is_heard: bool,
    /// Directories of the dynamic and the static target.
    pub targets: [&'static str; 2],
    /// How often a permitted start is recorded under the program's own name.
    pub records: usize,
}

impl Case {
    /// A case that is denied by a hook, and whose script prints the status.
    pub const fn new(
        runtime: &'static str,
        program: &'static str,
        args: &'static str,
        way: &'static str,
        script: &'static str,
    ) -> Self {
        Self {
            runtime,
            way,
            program,
            args,
            script,
            files: &[],
            dynamic: Denied,
            static_target: Denied,
            denied: (0, "status 126\n"),
            is_heard: true,
            targets: ["glibc", "static"],
            records: 1,
        }
    }

    /// What the runtime exits with and prints instead.
    pub const fn says(mut self, status: i32, stdout: &'static str) -> Self {
        self.denied = (status, stdout);
        self
    }

    /// Passes the hooks.
    pub const fn past(mut self) -> Self {
        self.dynamic = SelfCheck;
        self.static_target = Ran;
        self
    }

    /// Passes the hooks, but goes through a shell, which stops itself.
    pub const fn past_by_shell(mut self) -> Self {
        self.dynamic = SelfCheck;
        self.static_target = SelfCheck;
        self
    }

    /// Starts the program with no environment, past the hooks.
    pub const fn gap(mut self) -> Self {
        self.dynamic = Ran;
        self.static_target = Ran;
        self
    }

    /// What the program prints goes elsewhere.
    pub const fn unheard(mut self) -> Self {
        self.is_heard = false;
        self
    }

    /// The targets are linked to musl.
    pub const fn musl(mut self) -> Self {
        self.targets = ["musl", "musl-static"];
        self
    }

    /// Only the start of what starts the program is recorded.
    pub const fn unconfirmed(mut self) -> Self {
        self.records = 0;
        self
    }

    /// Files that the runtime reads.
    pub const fn with(mut self, files: &'static [(&'static str, &'static str)]) -> Self {
        self.files = files;
        self
    }
}

const fn bash(way: &'static str, script: &'static str) -> Case {
    Case::new("bash", "bash", "", way, script)
}
const fn dash(way: &'static str, script: &'static str) -> Case {
    Case::new("dash", "dash", "", way, script)
}
const fn zsh(way: &'static str, script: &'static str) -> Case {
    Case::new("zsh", "zsh", "-f", way, script)
}
const fn busybox(way: &'static str, script: &'static str) -> Case {
    Case::new("busybox sh (static)", "busybox", "sh", way, script).past()
}

/// Shells.
pub const SHELLS: &[Case] = &[
    bash("a command", "@T @M; echo status $?"),
    bash("by name", "@N @M; echo status $?"),
    bash("$( )", "x=$(@T @M); s=$?; test -z \"$x\" || echo $x; echo status $s"),
    bash("a pipe", "@T @M | cat; echo status ${PIPESTATUS[0]}"),
    bash("background", "@T @M & wait $!; echo status $?"),
    bash("( exec )", "(exec @T @M); echo status $?"),
    bash("exec", "exec @T @M").says(126, ""),
    bash("exec -c", "(exec -c @T @M); echo status $?"),
    bash("a variable", "a=@D; b=@N; $a/$b @M; echo status $?"),
    bash("after unset LD_PRELOAD", "unset LD_PRELOAD; @T @M; echo status $?"),
    bash("after RAMPART_MODE=disabled", "export RAMPART_MODE=disabled; @T @M; echo status $?"),
    bash("env -i bash", "echo '@T @M' | env -i bash; echo status ${PIPESTATUS[1]}"),
    dash("a command", "@T @M; echo status $?"),
    dash("by name", "@N @M; echo status $?"),
    dash("$( )", "x=$(@T @M); s=$?; test -z \"$x\" || echo $x; echo status $s"),
    dash("background", "@T @M & wait $!; echo status $?"),
    dash("exec", "exec @T @M").says(126, ""),
    dash("a here-document for sh", "sh <<END\n@T @M\nEND\necho status $?"),
    zsh("a command", "@T @M; echo status $?"),
    zsh("by name", "@N @M; echo status $?"),
    zsh("$( )", "x=$(@T @M); s=$?; test -z \"$x\" || echo $x; echo status $s"),
    busybox("a command", "@T @M; echo status $?"),
    busybox("$( )", "x=$(@T @M); s=$?; test -z \"$x\" || echo $x; echo status $s"),
    busybox("env -i", "env -i @T @M; echo status $?").gap(),
];

const fn py(way: &'static str, script: &'static str) -> Case {
    Case::new("CPython", "python3", "-", way, script)
}

/// Prints the status of a `fork` child that calls the given function.
macro_rules! forked {
    ($call:literal) => {
        concat!(
            "import os\nargs = ['@T', '@M']\npid = os.fork()\nif not pid: os.",
            $call,
            "\nprint('status', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
        )
    };
}

/// Prints the status of a child of `subprocess`.
macro_rules! subprocess {
    ($call:literal) => {
        concat!("import os, subprocess as s\nprint('status', s.", $call, ".returncode)")
    };
}

/// The ways of CPython.
pub const PYTHON: &[Case] = &[
    py("subprocess.run", subprocess!("run(['@T', '@M'])")),
    py("subprocess.run by name", subprocess!("run(['@N', '@M'])")),
    py("subprocess.run, env={}", subprocess!("run(['@T', '@M'], env={})")),
    py(
        "subprocess.run by name, env=PATH",
        subprocess!("run(['@N', '@M'], env={'PATH': os.environ['PATH']})"),
    ),
    py(
        "subprocess.run, close_fds=False",
        subprocess!("run(['@T', '@M'], close_fds=False)"),
    ),
    py("subprocess.run, shell=True", subprocess!("run('@T @M', shell=True)")),
    py(
        "subprocess.run, preexec_fn",
        subprocess!("run(['@T', '@M'], preexec_fn=lambda: None)"),
    ),
    py(
        "subprocess.run, start_new_session, cwd",
        subprocess!("run(['@T', '@M'], start_new_session=True, cwd='/')"),
    ),
    py(
        "subprocess.run, executable",
        subprocess!("run(['ls', '@M'], executable='@T')"),
    ),
    py(
        "subprocess.Popen",
        "import subprocess\np = subprocess.Popen(['@T', '@M'])\nprint('status', p.wait())",
    ),
    py(
        "subprocess.getstatusoutput",
        "import subprocess\nstatus, text = subprocess.getstatusoutput('@T @M')\nprint(text)\nprint('status', status)",
    ),
    py("os.execv", forked!("execv('@T', args)")),
    py("os.execve", forked!("execve('@T', args, {})")),
    py("os.execvp", forked!("execvp('@N', args)")),
    py("os.execvpe", forked!("execvpe('@N', args, dict(os.environ))")),
    py("os.execl", forked!("execl('@T', *args)")),
    py("os.execle", forked!("execle('@T', *args, {})")),
    py("os.execlp", forked!("execlp('@N', *args)")),
    py("os.execlpe", forked!("execlpe('@N', *args, dict(os.environ))")),
    py("os.execve of a descriptor", forked!("execve(os.open('@T', os.O_RDONLY), args, {})")),
    py(
        "os.posix_spawn",
        "import os\npid = os.posix_spawn('@T', ['@T', '@M'], {})\nprint('status', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
    ),
    py(
        "os.posix_spawnp",
        "import os\npid = os.posix_spawnp('@N', ['@N', '@M'], os.environ)\nprint('status', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
    ),
    py(
        "os.spawnv",
        "import os\nprint('status', os.spawnv(os.P_WAIT, '@T', ['@T', '@M']))",
    ),
    py("os.system", "import os\nprint('status', os.system('@T @M') >> 8)"),
    py(
        "os.popen",
        "import os\np = os.popen('@T @M')\nprint(p.read(), end='')\nprint('status', p.close() >> 8)",
    ),
    py(
        "asyncio.create_subprocess_exec",
        "import asyncio\nasync def main():\n  p = await asyncio.create_subprocess_exec('@T', '@M')\n  print('status', await p.wait())\nasyncio.run(main())",
    ),
    py(
        "a thread",
        "import subprocess, threading\ndef f(): print('status', subprocess.run(['@T', '@M']).returncode)\nt = threading.Thread(target=f)\nt.start()\nt.join()",
    ),
    py(
        "multiprocessing, fork",
        "import multiprocessing, os\np = multiprocessing.get_context('fork').Process(target=os.execv, args=('@T', ['@T', '@M']))\np.start()\np.join()\nprint('status', p.exitcode)",
    ),
    Case::new("CPython", "python3", "spawn.py", "multiprocessing, spawn", "@T @M")
        .with(&[(
            "spawn.py",
            "import multiprocessing, subprocess, sys\nif __name__ == '__main__':\n  p = multiprocessing.get_context('spawn').Process(target=subprocess.run, args=(sys.stdin.read().split(),))\n  p.start()\n  p.join()\n  print('status', p.exitcode)",
        )])
        .says(0, "status 0\n"),
    py("ctypes, libc.system", "import ctypes\nprint('status', ctypes.CDLL('libc.so.6').system(b'@T @M') >> 8)")
        .past_by_shell(),
    py(
        "ctypes, syscall",
        "import ctypes, os\nargs = (ctypes.c_char_p * 3)(b'@T', b'@M', None)\nif not os.fork(): ctypes.CDLL(None).syscall(59, b'@T', args, None)\nprint('status', os.waitstatus_to_exitcode(os.wait()[1]))",
    ),
];
