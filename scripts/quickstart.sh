#!/usr/bin/env bash
# From nothing to a trained multi-task model, on a laptop without a GPU, in under ten minutes: pre-trains a small T5 on
# the demo world's text, trains it on the demo's ten tasks, and shows what it learnt. A second call continues or shows
# what is there; RUNS says where the runs go (default: runs).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
install_environment ""

runs=${RUNS:-runs}
t5mix train --config quickstart_pretrain run_dir="$runs/quickstart_pretrain"
t5mix train --config quickstart run_dir="$runs/quickstart" start_from="$runs/quickstart_pretrain"
exec python scripts/quickstart_report.py "$runs/quickstart"
