#!/usr/bin/env bash
# Trains in several processes of this machine that find one another on the loopback interface: a rehearsal, on CPU, of
# what a cluster does. The arguments after the number go to `t5mix train`, which must be on the PATH.
#   scripts/train_multihost.sh 2 --config demo model=tiny run_dir=runs/two
# PORT chooses process 0's port (default 12355). Ctrl-C or SIGTERM writes a checkpoint and stops all of them.
set -euo pipefail
set -m # a process group each, so that Ctrl-C comes to them once: by the traps below
count=${1:?usage: scripts/train_multihost.sh PROCESSES [argument of t5mix train ...]}
shift
export JAX_PLATFORMS=${JAX_PLATFORMS:-cpu}

processes=()
for ((process = 0; process < count; process++)); do
    t5mix train "$@" mesh.data=-1 \
        "distributed={coordinator:'127.0.0.1:${PORT:-12355}',processes:$count,process:$process}" &
    processes+=($!)
done
trap 'kill -INT "${processes[@]}" 2>/dev/null' INT
trap 'kill -TERM "${processes[@]}" 2>/dev/null' TERM

status=0
for process in "${processes[@]}"; do
    while true; do # a signal interrupts the waiting
        wait "$process" && code=0 || code=$?
        kill -0 "$process" 2>/dev/null || break
    done
    ((code == 0)) || status=$code
done
exit "$status"
