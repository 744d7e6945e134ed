#!/usr/bin/env bash
# Make a report and list missing runs: sbatch --dependency=afterany:JOB slurm/report.sh FOLDER
# STUDY_ACTIVATE and STUDY_ROOT work as in slurm/sweep.sh.
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
set +u # conda's own scripts need it
eval "${STUDY_ACTIVATE:-}"
set -u
export PYTHONPATH="${STUDY_ROOT:-$SLURM_SUBMIT_DIR}${PYTHONPATH:+:$PYTHONPATH}"

# The report covers the recorded runs; missing runs fail the job. A task that was killed on another
# node counts as training (status 3) for one more minute.
for _ in 1 2 3 4 5 6 7 8 9; do
    missing=0
    said="$(python -m study.status "$1")" || missing=$?
    [ "$missing" = 3 ] || break
    sleep 10
done
echo "$said"
python -m reports "$@"
exit "$missing"
