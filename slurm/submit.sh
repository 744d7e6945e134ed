#!/usr/bin/env bash
# Submit a study and its report: slurm/submit.sh CONFIG [options]; see slurm/submit.sh --help
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
eval "${STUDY_ACTIVATE:-}"
export PYTHONPATH="$(dirname "$here")${PYTHONPATH:+:$PYTHONPATH}"
exec python -m study.submit --scripts "$here" "$@"
