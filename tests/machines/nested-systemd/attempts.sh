# What the agent's user tries against the evaluator's, past the library: a process that nobody guards. One line for each
# attempt: what, and whether it was refused.
# usage: attempts.sh PID APPROVAL OTHER       the evaluator's process, something of this user's own that waits, something of root's
pid=$1 approval=$2 other=$3
# What its unit is kept from, under the policy of the unit: whether it ran.
guarded='LD_PRELOAD=/usr/lib/rampart/librampart.so RAMPART_IMAGE=/etc/rampart/units/asking.service.img bash <<<rt-forbidden | grep -q ran'
try() { # what, a command
    if bash -c "$2" >/dev/null 2>&1; then echo "$1: DONE"; else echo "$1: refused"; fi
}
try 'read the audit log' 'cat /var/lib/rampart/audit/*'
try 'list the audit directory' 'ls /var/lib/rampart/'
try 'tail it with rampart' 'RAMPART_AUDIT_DIR=/var/lib/rampart/audit rampart audit tail | grep -q .'
try 'remove the audit log' 'rm -r /var/lib/rampart/audit'
try 'prune it with rampart' 'RAMPART_AUDIT_DIR=/var/lib/rampart/audit rampart audit prune'
try 'write approvals of its own' 'touch /var/lib/rampart/evaluator/x'
try 'read an event of another user' 'cat /var/spool/rampart/kept'
try 'remove an event of another user' 'rm /var/spool/rampart/kept'
try 'list the spool' 'ls /var/spool/rampart'
try 'add to an event of another user' 'echo x >>/var/spool/rampart/kept'
try 'move the spool away' 'mv /var/spool/rampart /var/spool/rampart.old'
try 'write over the image' ': >>/etc/rampart/system.img'
try 'replace the image' 'cp /bin/true /etc/rampart/x && mv /etc/rampart/x /etc/rampart/system.img'
try 'write over the image of a unit' ': >>/etc/rampart/units/asking.service.img'
try 'add a policy of the machine' 'touch /etc/rampart/policy.d/x.yaml'
try 'replace the image of a unit' 'cp /bin/true /etc/rampart/units/x && mv /etc/rampart/units/x /etc/rampart/units/asking.service.img'
try 'mount over the image' 'mount --bind /bin/true /etc/rampart/system.img'
try 'write over the library' ': >>/usr/lib/rampart/librampart.so'
try 'change a drop-in' ': >>/etc/systemd/system/asking.service.d/50-rampart.conf'
try 'remove a drop-in' 'rm /etc/systemd/system/asking.service.d/50-rampart.conf'
try 'give a unit its own drop-in' 'mkdir -p /run/systemd/system/asking.service.d && touch /run/systemd/system/asking.service.d/x.conf'
try "change the service's unit" ': >>/etc/systemd/system/rampart-serve.service'
try 'replace the command' 'cp /bin/true /usr/bin/rampart'
try 'add to ld.so.preload' 'touch /etc/ld.so.preload'
try 'approve its own command' "rampart approve $approval"
try "approve another user's command" "rampart approve $other"
try 'approve its own command for an hour' "rampart approve --for 1h $approval"
try 'pause the policy of its unit' "rampart pause 1m; $guarded"
try 'allow what its unit may not' "rampart allow rt-forbidden; rampart policy reload; $guarded"
try 'approve as the evaluator' "setpriv --reuid rampart --clear-groups rampart approve $approval"
try 'approve with sudo' "sudo -n rampart approve $approval"
try 'kill the evaluator' "kill -9 $pid"
try 'stop the evaluator for a while' "kill -STOP $pid"
try 'lower its limits' "prlimit --pid $pid --nofile=3"
try 'slow it down' "renice -n 19 -p $pid"
try 'have it killed first' "echo 1000 >/proc/$pid/oom_score_adj"
try 'move it to another group' "echo $pid >/sys/fs/cgroup/cgroup.procs"
try 'stop its service' 'systemctl stop rampart-serve.service'
try 'stop its socket' 'systemctl stop rampart-serve.socket'
try 'mask its service' 'systemctl mask --runtime rampart-serve.service'
try 'change the environment of all units' 'systemctl set-environment LD_PRELOAD='
try 'start a service of its own' 'systemd-run --no-ask-password true'
try "read the evaluator's environment" "cat /proc/$pid/environ"
try "read the evaluator's memory" "head -c 1 /proc/$pid/mem"
try "write the evaluator's memory" ": >>/proc/$pid/mem"
try "see the evaluator's files" "ls /proc/$pid/fd/"
try 'read the credentials of the service' 'cat /run/credentials/rampart-serve.service/*'
try 'read the key where root keeps it' 'cat /etc/rampart/webhook.key'
try 'remove the socket' 'rm /run/rampart/evaluator.sock'
try 'listen in its place' 'cd /run/rampart && touch evaluator.sock.new && mv evaluator.sock.new evaluator.sock'
try 'change the mode of the socket' 'chmod 600 /run/rampart/evaluator.sock'
try "take another user's place in the spool" 'touch /var/spool/rampart/spool-4242.jsonl && rm /var/spool/rampart/spool-4242.jsonl'
try 'read the policy' 'cat /etc/rampart/system.img'
try 'ask the evaluator how it is' "rampart status | grep -qv '^no evaluator'"
