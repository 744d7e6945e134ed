#!/usr/bin/env bash
# Make a report and list missing runs: sbatch --dependency=afterany:JOB slurm/report.sh FOLDER
# STUDY_ACTIVATE and STUDY_ROOT work as in slurm/sweep.sh.
#SBATCH --job-name=study-report
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --time=01:00:00
#SBATCH --open-mode=append
#SBATCH --output=study-%j.log
set -euo pipefail

if [ $# = 0 ]; then
    echo "usage: sbatch [options] slurm/report.sh FOLDER [options of reports]" >&2
    exit 2
fi
set +u # conda's own scripts need it
eval "${STUDY_ACTIVATE:-}"
set -u
export PYTHONPATH="${STUDY_ROOT:-$SLURM_SUBMIT_DIR}${PYTHONPATH:+:$PYTHONPATH}"

# The report covers the recorded runs; missing runs fail the job.
missing=0
python -m study.status "$1" || missing=$?
python -m reports "$@"
exit "$missing"
