#!/usr/bin/env bash
# Make a study's report, and say what is missing: sbatch --dependency=afterany:JOB slurm/report.sh FOLDER
# STUDY_ACTIVATE and STUDY_ROOT are those of slurm/sweep.sh.
#SBATCH --job-name=study-report
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem-per-cpu=2G
#SBATCH --time=01:00:00
#SBATCH --open-mode=append
#SBATCH --output=study-%j.log
set -euo pipefail

if [ $# = 0 ]; then
    echo "usage: sbatch [options] slurm/report.sh FOLDER [options of reports]" >&2
    exit 2
fi
eval "${STUDY_ACTIVATE:-}"
export PYTHONPATH="${STUDY_ROOT:-$SLURM_SUBMIT_DIR}${PYTHONPATH:+:$PYTHONPATH}"

# What there is is reported; what is missing fails the job.
missing=0
python -m study.status "$1" || missing=$?
python -m reports "$@"
exit "$missing"
