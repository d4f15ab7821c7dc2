# Before the boot: Rampart is installed as the package does it, and one unit for each set of options is made.
set -euo pipefail
files=/var/lib/rampart-test units=/etc/systemd/system
chmod -R a+rX /var/lib/rampart-test
chmod 755 /var/results
install -D -m 755 "$files/rampart" /usr/bin/rampart
install -D -m 755 "$files/librampart.so" /usr/lib/rampart/librampart.so
cp "$files"/packaging/systemd/* /etc/systemd/system/
useradd --system --user-group --no-create-home --home-dir /var/lib/rampart rampart
useradd --create-home agent
install -d -m 1733 -o rampart -g rampart /var/spool/rampart
for name in rt-forbidden rt-permitted rt-asked; do
    printf '#!/bin/sh\necho %s ran\n' "$name" >"/usr/bin/$name"
    chmod 755 "/usr/bin/$name"
done
# Nothing of this machine's own services.
rm -rf /etc/systemd/user /usr/lib/systemd/user/*.wants /usr/lib/systemd/system/*.wants /usr/lib/systemd/system/*.requires
for target in sysinit basic shutdown sockets; do
    printf '[Unit]\nDefaultDependencies=no\n' >"$units/$target.target"
done
names=()
unit() { # name, script's argument, directives
    printf '[Service]\nType=oneshot\nExecStart=/bin/bash\nStandardInput=file:%s/agent.sh\nStandardOutput=truncate:/var/results/out.%s\nStandardError=inherit\n' \
        "$files" "$1" >"$units/$1.service"
    tr ';' '\n' <<<"$2" >>"$units/$1.service"
    names+=("$1")
}
while IFS='|' read -r name directives _; do
    case $name in '#'*) continue ;; esac
    unit "up-$name" "$directives"
    unit "down-$name" "$directives"
done <"$files/options.txt"
unit asking ""
unit asking-user "User=agent"
unit asking-root ""
sed -i "s/agent.sh/asks.sh/" "$units"/asking*.service
mkdir -p /etc/rampart/policy.d
/usr/bin/rampart policy compile "$files/policy.yaml" --layer system --output /etc/rampart/system.img >/dev/null
chmod 644 /etc/rampart/system.img
touch /var/spool/rampart/kept
chmod 600 /var/spool/rampart/kept
unit killed ""
unit restarted ""
/usr/bin/rampart install systemd "${names[@]}" --policy "$files/policy.yaml" >/var/results/install.log
(umask 077 && echo 'a key of the machine, not of its users' >/etc/rampart/webhook.key)
# What logind would start for a session.
cat >"$units/user-manager.service" <<'UNIT'
[Service]
Type=notify
User=agent
Delegate=yes
RuntimeDirectory=agent
RuntimeDirectoryMode=0700
Environment=XDG_RUNTIME_DIR=/run/agent
ExecStart=/lib/systemd/systemd --user --log-target=console
UNIT
own=/home/agent/.config/systemd/user
mkdir -p "$own"
printf '[Service]\nType=notify\nExecStart=/usr/bin/rampart serve --policy %s/policy.yaml\n' "$files" >"$own/evaluator.service"
printf '[Service]\nType=oneshot\nExecStart=/bin/bash\nStandardInput=file:%s/agent.sh\nStandardOutput=truncate:/home/agent/out.own\nStandardError=inherit\n' \
    "$files" >"$own/own.service"
chown -R agent: /home/agent
cat >"$units/scenario.target" <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=driver.service
UNIT
cat >"$units/driver.service" <<UNIT
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash $files/driver.sh
StandardOutput=truncate:/var/results/driver
StandardError=inherit
UNIT
