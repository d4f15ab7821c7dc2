# The scenario, as process of the booted system.
main() { systemctl show -P MainPID rampart-serve.service; }
state() { systemctl is-active rampart-serve.service; }
restarts() { systemctl show -P NRestarts rampart-serve.service; }
waiting() { # The id of what waits.
    local id
    for _ in $(seq 200); do
        id=$(rampart pending | awk '{ print $1; exit }')
        case $id in *no* | '') sleep 0.05 ;; *) break ;; esac
    done
    echo "$id"
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
old=$(main)
setpriv --reuid agent --regid agent --clear-groups env HOME=/home/agent RAMPART_SOCKET=/run/rampart/evaluator.sock \
    bash /var/lib/rampart-test/attempts.sh "$old" "$id" >/var/results/attempts
[ "$(main)" = "$old" ] && [ "$(rampart pending | awk '{ print $1; exit }')" = "$id" ] && echo "attempted: nothing changed"
rampart deny "$id"
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
