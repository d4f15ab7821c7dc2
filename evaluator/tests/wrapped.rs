//! Every way to run a command through another program: a dangerous command in it is found, and a
//! harmless one raises no alarm about removal. `@` stands for the command, `%` for the same as one
//! word.

mod support;

use evaluator::Action;
use support::verdict::verdict;

const ATTACK: &str = "rm -rf /etc";
const BENIGN: &str = "ls -l /tmp";

/// The rule that stops the attack as it stands.
const RULE: &str = "remove-roots";

#[rustfmt::skip]
const FORMS: &[&str] = &[
    // Privileges.
    "sudo @", "sudo -n -u root @", "sudo -E A=b @", "sudo -- @", "sudo -iu root @", "sudo sh -c %",
    "doas @", "doas -u x @", "su -c %", "su root -c %", "su - root -c %", "su -c % root", "runuser -u x -- @",
    "pkexec @", "run0 @", "gosu x @", "setpriv --reuid 1 @", "capsh -- -c %", "sg disk -c %",
    // Surroundings.
    "env @", "env -i A=b @", "env -S %", "env -u X -- @", "env -C /tmp @", "nohup @", "nohup @ &", "nice @", "nice -n 5 @",
    "nice -5 @", "ionice -c3 @", "chrt -f 1 @", "taskset -c 0 @", "timeout 5 @", "timeout -k 1 -s KILL 5s @", "time @", "command time -p @",
    "/usr/bin/time -f %e @", "stdbuf -oL @", "setsid -f @", "chroot /x @", "unshare -rm @", "nsenter -t 1 -a @", "flock /l @",
    "flock /l -c %", "script -qc % /dev/null", "script -q /dev/null -c %", "watch %", "watch -n 1 @", "watch -x @", "strace -f -o l @", "ltrace @",
    "systemd-run --user @", "systemd-run --scope -p A=b @", "systemd-inhibit @", "unbuffer @", "prlimit --nproc=1 @", "numactl -N 0 @",
    "exec @", "command @", "builtin eval %", "eval %", "eval @", "coproc @", "xvfb-run @", "dbus-run-session @", "firejail @",
    "perf stat @", "valgrind @", "gdb --args @", "hyperfine %", "entr @", "nodemon --exec %", "faketime now @", "rlwrap @",
    "start-stop-daemon -S -x /bin/x -- @", "at now <<< %", "echo % | at now", "echo % | batch",
    // Shells.
    "sh -c %", "bash -lc %", "bash -euo pipefail -c %", "dash -c %", "zsh -c %", "ksh -c %", "busybox sh -c %", "echo % | sh",
    "bash <<< %", "sh <<E\n@\nE", "bash -s <<'E'\n@\nE", "cat <<E | bash\n@\nE", "source <(echo %)", ". /dev/stdin <<< %", "bash <(echo %)",
    "trap % EXIT", "f() { @; }; f", "alias x=%; x", "$(echo @)", "x=%; $x", "x=%; eval \"$x\"", "if true; then @; fi", "for i in 1; do @; done",
    "case x in *) @;; esac", "(@)", "{ @; }", "true && @", "false || @", "! @", "x=$(@)", "echo `@`", "cat <(@)", "while :; do @; done",
    // Programs in programs.
    "busybox @", "toybox @", "/lib64/ld-linux-x86-64.so.2 /bin/@", "ld.so @", "qemu-x86_64 /bin/@",
    "xargs @", "echo /etc | xargs rm -rf", "echo x | xargs -I{} @", "echo % | xargs -I{} sh -c {}", "parallel ::: %", "parallel rm -rf ::: /etc",
    "find /etc -delete", "find /etc -exec rm -rf {} \\;", "find . -exec @ \\;", "find . -execdir @ \\;", "find . -ok @ \\;", "find . -exec sh -c % \\;", "fd x -x @",
    "awk 'BEGIN{system(\"@\")}'", "gawk 'BEGIN{\"@\" | getline}'", "sed '1e @' f", "vim -c ':!@' f", "vim '+!@' f", "nvim --cmd '!@' f",
    "make -f - <<'E'\nx:\n\t@\nE", "printf 'x:\\n\\t@\\n' > Makefile; make x", "make --eval='x:; @'",
    "tar xf a --to-command=%", "tar cf a --checkpoint-action=exec=% x", "tar -I % -xf a", "rsync -e % a b",
    "git -c alias.x='!@' x", "git -c core.sshCommand=% fetch", "git -c core.pager=% log", "git bisect run @", "git submodule foreach %",
    "git rebase -x % main", "GIT_SSH_COMMAND=% git fetch", "PAGER=% man ls", "man -P % ls",
    // Other machines and containers.
    "ssh h @", "ssh -p 2 -l u h %", "ssh h <<'E'\n@\nE", "echo % | ssh h", "ssh h bash -s <<< %", "ssh -o ProxyCommand=% h", "mosh h -- @", "rsh h @", "sshpass -p x ssh h @",
    "docker exec c @", "docker exec -it -u 0 c sh -c %", "echo % | docker exec -i c sh", "docker run --rm -v /:/x i @", "docker compose exec s @",
    "docker-compose run s @", "podman exec c @", "nerdctl exec c @", "kubectl exec p -- @", "kubectl exec -it p -c c -- sh -c %", "kubectl run x --image=i -- @",
    "kubectl exec -i p -- sh <<< %", "oc exec p -- @", "crictl exec c @", "lxc exec c -- @", "lxc-attach -n c -- @", "machinectl shell c /bin/@", "systemd-nspawn -D / @",
    "bwrap --bind / / @", "flatpak-spawn --host @", "distrobox enter c -- @", "vagrant ssh -c %", "gcloud compute ssh h --command=%", "adb shell @", "wsl @", "ansible all -m shell -a %",
    // Terminals.
    "tmux send-keys -t x % Enter", "tmux new-session -d %", "tmux new-window %", "tmux respawn-pane -k %", "tmux split-window %", "tmux run-shell %",
    "screen -dm @", "screen -S x -X stuff %", "screen -X exec @",
    // Environments of languages.
    "conda run -n e @", "mamba run @", "poetry run @", "pipenv run @", "uv run @", "uv run --with x @", "pdm run @", "hatch run @", "bundle exec @",
    "direnv exec . @", "mise exec -- @", "mise x node@20 -- @", "asdf exec @", "nix develop -c @", "nix shell n#x --command @", "nix-shell --run %",
    "npx -c %", "npx -y -p x @", "npm exec -- @", "npm exec -c %", "pnpm exec @", "pnpm dlx @", "yarn exec @", "bunx @", "uvx @", "pipx run @", "op run -- @", "dotenv -- @", "aws-vault exec p -- @",
    // Code of other languages.
    "python3 -c 'import os; os.system(\"@\")'", "python3 -c 'import subprocess as s; s.run(\"@\", shell=True)'", "python3 <<'E'\nimport os\nos.system(\"@\")\nE",
    "node -e 'require(\"child_process\").execSync(\"@\")'", "perl -e 'system(\"@\")'", "ruby -e 'system(\"@\")'", "ruby -e '`@`'", "php -r 'exec(\"@\");'",
    "lua -e 'os.execute(\"@\")'", "Rscript -e 'system(\"@\")'", "emacs --batch --eval '(shell-command \"@\")'", "tclsh <<< 'exec @'", "sqlite3 x '.shell @'", "psql -c '\\! @'",
    "deno eval 'new Deno.Command(\"sh\", {args: [\"-c\", \"@\"]})'", "julia -e 'run(`@`)'", "groovy -e '\"@\".execute()'",
    // What hosts of agents put around commands.
    "source /h/.claude/shell-snapshots/s.sh && eval % \\< /dev/null && pwd -P >| /tmp/c", "shopt -u extglob || true && eval % < /dev/null",
    "bash -lc %", "/bin/bash -c -l %", "zsh -lc %", "env -i HOME=/h bash --norc -c %",
];

fn with(form: &str, command: &str) -> String {
    form.replace('%', &format!("'{command}'")).replace('@', command)
}

#[test]
fn an_attack_in_a_wrapper_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for form in FORMS {
        let attack = with(form, ATTACK);
        let (action, rule) = verdict(&attack);
        if action < Action::Ask {
            wrong.push(format!("not found ({action:?} {rule}): {attack}"));
        }
        let benign = with(form, BENIGN);
        let (action, rule) = verdict(&benign);
        // A form that names what it removes has no harmless twin.
        if benign != attack && (rule == RULE || (action == Action::Ask && rule.is_empty())) {
            wrong.push(format!("alarm ({action:?} {rule}): {benign}"));
        }
    }
    assert_eq!(verdict(ATTACK).1, RULE);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), FORMS.len(), wrong.join("\n"));
}

/// Texts that name the attack and do not run it.
#[rustfmt::skip]
const DATA: &[&str] = &[
    "echo %", "echo @", "printf '%s' \"@\"", "git commit -m %", "git commit -m \"$(cat <<'E'\n@\nE\n)\"", "grep -r % .", "rg % src", "gh pr create --title x --body %",
    "gh issue comment 1 -b %", "cat > notes.md <<'E'\n@\nE", "tee notes.md <<'E'\n@\nE", "cat <<'E' >> README.md\n@\nE", "x=%", "x=%; echo \"$x\"", "# @", "ls # @",
    "echo % > f.txt", "echo % | cat", "echo % | grep rm", "echo % | tee log", "sed -n '/@/p' f", "awk '/@/' f", "jq -n '{c: \"@\"}'", "curl -d '{\"c\": \"@\"}' http://localhost:1/",
    "python3 -c 'print(\"@\")'", "node -e 'console.log(\"@\")'", "perl -e 'print \"@\"'", "python3 - <<'E'\ndoc = \"\"\"\n@\n\"\"\"\nE", "man rm", "type rm", "command -v rm",
    "f() { @; }", "alias x=%", "docker exec c echo %", "ssh h echo %", "test % = x", "[ -n % ]", "[[ % == x ]]", "case % in x) ls;; esac", "for i in %; do echo \"$i\"; done",
    "read x <<< %", "mail -s % x < /dev/null", "notify-send %", "logger %", "history | grep %", "diff <(echo %) f", "declare -A m=([x]=%)", "export MSG=%", "env MSG=% ls",
];

#[test]
fn data_is_no_command() {
    let alarms: Vec<String> = DATA
        .iter()
        .map(|form| with(form, ATTACK))
        .filter(|text| verdict(text).0 >= Action::Ask)
        .map(|text| format!("{:?}: {text}", verdict(&text)))
        .collect();
    assert!(alarms.is_empty(), "{} of {}:\n{}", alarms.len(), DATA.len(), alarms.join("\n"));
}
