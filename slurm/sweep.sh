#!/usr/bin/env bash
# Train a study in an array of jobs: sbatch slurm/sweep.sh [CONFIG] [study.fit's options]; the config
# is configs/random.yaml unless you name another. Task k of n begins with its share of the runs and
# then trains what other tasks leave. All tasks write into one folder, seen by every node, which has
# their logs in slurm/ unless you give sbatch's --output.
# Set partition, account, time, memory, GPUs and array by sbatch's options, e.g. sbatch --array=0-7
# -p gpu --gpus-per-task=1 slurm/sweep.sh CONFIG. slurm/submit.sh chooses the number of tasks.
# --ntasks-per-node=4 starts four processes on a node. Each trains its share of the task's runs and,
# with --gpus-per-task=1 or --gpus-per-node=4, takes a GPU of its own.
#   STUDY_ACTIVATE  a line that sets up Python, e.g. 'module load conda; conda activate study'
#   STUDY_ROOT      the checkout, if the package is not installed (default: where sbatch ran)
#SBATCH --job-name=study
#SBATCH --array=0-3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=2
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=study-%A_%a.log
#SBATCH --signal=USR1@120
set -euo pipefail

[ $# -gt 0 ] || set -- random
set +u # conda's own scripts need it
eval "${STUDY_ACTIVATE:-}"
set -u
export PYTHONPATH="${STUDY_ROOT:-$SLURM_SUBMIT_DIR}${PYTHONPATH:+:$PYTHONPATH}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}"
case "$1" in -*) config=() ;; *) config=(--config "$1"); shift ;; esac

task="$SLURM_JOB_ID"
[ -z "${SLURM_ARRAY_TASK_ID:-}" ] || task="${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"

# Slurm opens the log before the study's folder is known; a wrong config is told there.
log="$SLURM_SUBMIT_DIR/study-$task.log"
if [ "$(scontrol show job "$task" | sed -n 's/^ *StdOut=//p')" = "$log" ]; then
    find_folder='import sys; from study.runs.command_line import read; print(read(sys.argv[1:]).out)'
    folder="$(python -c "$find_folder" ${config[@]+"${config[@]}"} "$@" 2> /dev/null)" || folder=""
    if [ -n "$folder" ]; then
        mkdir -p "$folder/slurm"
        exec >> "$folder/slurm/study-$task.log" 2>&1
        [ -s "$log" ] || rm -f "$log"
    fi
fi
restarts="${SLURM_RESTART_COUNT:-0}"
status=0
# Since Slurm 22.05, srun does not take over the job's --cpus-per-task by itself.
srun --kill-on-bad-exit=0 ${SLURM_CPUS_PER_TASK:+--cpus-per-task="$SLURM_CPUS_PER_TASK"} \
    python -m study.fit ${config[@]+"${config[@]}"} "$@" || status=$?

# 130: stopped by a signal, state saved. 138: SIGUSR1 came before study.fit handled it. 137, 253:
# killed, perhaps for lack of memory, which would recur; so these restart fewer times.
case "$status" in
    130 | 138) most=100 ;;
    137 | 253) most=10 ;;
    *) exit "$status" ;;
esac
if [ "$restarts" -ge "$most" ]; then
    echo "slurm/sweep.sh: task $task ended with status $status after $restarts restarts" >&2
    exit "$status"
fi
echo "slurm/sweep.sh: task $task ended with status $status; requeued, restart $((restarts + 1))"
scontrol requeue "$task"
