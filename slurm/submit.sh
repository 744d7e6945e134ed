#!/usr/bin/env bash
# Submit a study and its report: slurm/submit.sh CONFIG [options]; see slurm/submit.sh --help
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
set +u # conda's own scripts need it
eval "${STUDY_ACTIVATE:-}"
set -u
root="$(dirname "$here")"
# The installed package has no checkout around this folder.
[ ! -d "$root/study" ] || export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec python -m study.submit --scripts "$here" "$@"
