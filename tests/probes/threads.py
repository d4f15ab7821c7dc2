"""Four threads start denied programs while a fifth talks to itself through a socket pair. Prints
"same" if every byte arrived and the open descriptors are the same as before."""

import os
import socket
import subprocess
import threading

ours, theirs = socket.socketpair()
problems = []


def descriptors():
    return sorted((name, os.readlink("/proc/self/fd/" + name)) for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + name))


def talk():
    for number in range(2000):
        sent = b"%06d\n" % number
        ours.sendall(sent)
        got = theirs.recv(64)
        if got != sent:
            problems.append((sent, got))


def start():
    for number in range(25):
        env = {"A": "1"} if number % 2 else None
        done = subprocess.run(["/bin/true"], env=env, close_fds=number % 3 != 0)
        if done.returncode != 126:
            problems.append(done.returncode)


before = descriptors()
threads = [threading.Thread(target=talk)] + [threading.Thread(target=start) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if descriptors() != before:
    problems.append((before, descriptors()))
print(problems or "same")
