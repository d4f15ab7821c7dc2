# The scenario, as process of the booted system.
main() { systemctl show -P MainPID rampart-serve.service; }
state() { systemctl is-active rampart-serve.service; }
restarts() { systemctl show -P NRestarts rampart-serve.service; }
waiting() { # The id of what waits, but this one.
    local id
    for _ in $(seq 200); do
        id=$(rampart pending | awk -v but="${1:-}" '$2 == "until" && $1 != but { print $1; exit }')
        [ -z "$id" ] || break
        sleep 0.05
    done
    echo "$id"
}
as_agent() {
    setpriv --reuid agent --regid agent --clear-groups env HOME=/home/agent XDG_RUNTIME_DIR=/run/agent "$@"
}
cat /proc/1/comm
systemctl start rampart-serve.socket
echo "before: $(state)"
systemctl start --no-block asking.service
rampart approve "$(waiting)"
systemctl start up-plain.service
echo "activated: $(state), by $(ps -o user= -p "$(main)")"
systemctl kill -s KILL rampart-serve.service
for _ in $(seq 200); do
    if [ "$(restarts)" = 1 ] && [ "$(state)" = active ]; then break; fi
    sleep 0.05
done
echo "killed: $(state), $(restarts) restart"
systemctl start killed.service
systemctl restart rampart-serve.service
echo "restarted: $(state)"
systemctl start restarted.service
while IFS='|' read -r name _; do
    case $name in '#'* | plain) continue ;; esac
    systemctl start "up-$name.service" || echo "up-$name failed"
done </var/lib/rampart-test/options.txt
systemctl start --no-block asking-user.service
id=$(waiting)
systemctl start --no-block asking-root.service
other=$(waiting "$id")
old=$(main)
md5sum /etc/rampart/*.img /etc/rampart/units/* /usr/bin/rampart /usr/lib/rampart/* >/run/sums
as_agent env RAMPART_SOCKET=/run/rampart/evaluator.sock bash /var/lib/rampart-test/attempts.sh "$old" "$id" "$other" \
    >/var/results/attempts
[ "$(main)" = "$old" ] && [ "$(rampart pending | grep -c " until ")" = 2 ] && md5sum --quiet -c /run/sums &&
    echo "attempted: nothing changed"
rampart deny "$id"
rampart deny "$other"
key=/run/credentials/rampart-serve.service/webhook.key
echo "credential: $(stat -c %a $key), $(cat $key)"
rm /etc/rampart/webhook.key
systemctl restart rampart-serve.service
echo "without: $(state), $(cat $key)"
# The verifier, which the evaluator's user reaches and nobody else.
ask_verifier() {
    setpriv --reuid "$1" --regid "$1" --clear-groups curl --silent --max-time 10 --unix-socket /run/rampart-verify/verify.sock \
        --json '{"tool": "exec", "params": {"command": "rm -rf /etc", "cwd": "/srv"}}' http://localhost/verify |
        grep -o '"decision":"[a-z]*"' || echo unreachable
}
systemctl start rampart-verify.service
echo "unconfigured: $(systemctl is-active rampart-verify.service)"
touch /etc/rampart/verify.yaml
systemctl start rampart-verify.service
echo "verifier: $(systemctl is-active rampart-verify.service), $(ask_verifier rampart), $(ask_verifier agent)"
systemctl stop rampart-verify.service
# A service manager of the agent's own, with an evaluator and an agent as its units.
systemctl start user-manager.service
as_agent rampart install systemd own --user --policy /var/lib/rampart-test/policy.yaml >>/var/results/install.log
as_agent systemctl --user daemon-reload
as_agent systemctl --user start evaluator.service own.service
cp /home/agent/out.own /var/results/
cp -r /home/agent/.local/state/rampart/audit /var/results/own
as_agent rampart install systemd own --user --remove >>/var/results/install.log
echo "removed: $(find /home/agent/.config/systemd/user -name '*rampart*' -o -name '*.d' | wc -l)"
as_agent systemctl --user daemon-reload
as_agent systemctl --user start own.service
grep loaded /home/agent/out.own && echo "still loaded"
systemctl stop user-manager.service
# The last events are taken in before it ends.
sleep 0.5
systemctl stop rampart-serve.socket rampart-serve.service
echo "stopped: $(state)"
mkdir /var/results/audit
cp /var/lib/rampart/audit/* /var/results/audit/
echo "audit: $(stat -c '%U %a' /var/lib/rampart/audit)"
while IFS='|' read -r name _; do
    case $name in '#'*) continue ;; esac
    systemctl start "down-$name.service" || echo "down-$name failed"
    rm -rf /var/spool/rampart/* /dev/shm/rampart-*
done </var/lib/rampart-test/options.txt
touch /var/results/done
