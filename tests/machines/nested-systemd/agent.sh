# What an agent's unit does: something that is denied, something that is not. Prints what came of each.
rt-forbidden; echo "denied=$?"
rt-permitted; echo "permitted=$?"
grep -q librampart.so /proc/self/maps && echo loaded=yes
if rampart status | grep -q "^no evaluator"; then echo socket=no; else echo socket=yes; fi
for dir in spool:/var/spool/rampart "shm:/dev/shm/rampart-$(id -u)" "tmp:/tmp/rampart-$(id -u)"; do
    file=${dir#*:}/spool-$(id -u).jsonl
    if grep -qs '"outcome":"denied"' "$file"; then echo "spool=${dir%%:*}"; fi
done
exit 0
