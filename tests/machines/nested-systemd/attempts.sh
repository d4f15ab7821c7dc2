# What the agent's user tries against the evaluator's, past the library: a process that nobody guards. One line for each
# attempt: what, and whether it was refused.
# usage: attempts.sh PID APPROVAL       the evaluator's process, and something of this user's own that waits
pid=$1 approval=$2
try() { # what, a command
    if bash -c "$2" >/dev/null 2>&1; then echo "$1: DONE"; else echo "$1: refused"; fi
}
try 'read the audit log' 'cat /var/lib/rampart/audit/*'
try 'list the audit directory' 'ls /var/lib/rampart/'
try 'tail it with rampart' 'RAMPART_AUDIT_DIR=/var/lib/rampart/audit rampart audit tail | grep -q .'
try 'read an event of another user' 'cat /var/spool/rampart/kept'
try 'remove an event of another user' 'rm /var/spool/rampart/kept'
try 'list the spool' 'ls /var/spool/rampart'
try 'write over the image' ': >>/etc/rampart/system.img'
try 'replace the image' 'cp /bin/true /etc/rampart/x && mv /etc/rampart/x /etc/rampart/system.img'
try 'write over the image of a unit' ': >>/etc/rampart/units/asking.service.img'
try 'add a policy of the machine' 'touch /etc/rampart/policy.d/x.yaml'
try 'write over the library' ': >>/usr/lib/rampart/librampart.so'
try 'change a drop-in' ': >>/etc/systemd/system/asking.service.d/50-rampart.conf'
try 'add to ld.so.preload' 'touch /etc/ld.so.preload'
try 'approve its own command' "rampart approve $approval"
try 'kill the evaluator' "kill -9 $pid"
try 'stop its service' 'systemctl stop rampart-serve.service'
try "read the evaluator's environment" "cat /proc/$pid/environ"
try "read the evaluator's memory" "head -c 1 /proc/$pid/mem"
try 'remove the socket' 'rm /run/rampart/evaluator.sock'
try 'listen in its place' 'cd /run/rampart && touch evaluator.sock.new && mv evaluator.sock.new evaluator.sock'
try 'read the policy' 'cat /etc/rampart/system.img'
try 'ask the evaluator how it is' "rampart status | grep -qv '^no evaluator'"
