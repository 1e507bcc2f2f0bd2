#!/usr/bin/env bash
# Models and scores of docs/studies/tasks.md: run.sh controlled FOLDER, or run.sh gemma FOLDER MODEL TEXTS TASKS.
# What is there is not made again. LIMIT is the number of documents of a task (all). About 25 minutes of one core (controlled),
# and 1 to 2 hours (Gemma, of which the distances over its vocabulary take most).
set -euo pipefail
cd "$(dirname "$0")/../.."
name=$1 out=$(realpath -m "$2")
case $name in
controlled)
  model=datasets/controlled-bloom calibration=datasets/controlled-texts/calibration.yaml heldout=datasets/controlled-texts/heldout.yaml
  tasks=datasets/controlled-tasks prefix=controlled shares=datasets/controlled-bloom/distribution.json
  segments=128 length=256 windows=16 window=256
  ;;
gemma)
  model=$3 calibration=$4/calibration.yaml heldout=$4/heldout.yaml tasks=$5 prefix=help shares=$4/shares.json
  segments=32 length=512 windows=8 window=128
  ;;
*)
  echo "run.sh: no model $name; there are controlled and gemma" >&2
  exit 2
  ;;
esac
mkdir -p "$out/scores"

for solver in gptq sparsegpt; do
  options="sparsity: 0.5"
  if [[ $solver == gptq ]]; then options="bits: 3, group-size: 64, symmetric: false"; fi
  models=(--model "$model")
  for mix in only:en equal proportional; do
    folder=$out/$name-$solver-${mix#only:}
    models+=(--model "$folder/model")
    if [[ -d $folder/model ]]; then continue; fi
    cat >"$folder.yaml" <<RECIPE
model: $(realpath "$model")
corpus: $(realpath "$calibration")
sample: { mix: "$mix", segments: $segments, length: $length, distribution: $(realpath "$shares") }
compress: { solver: $solver, $options }
output: $folder
RECIPE
    node packages/mbs/bin/mbs.js run "$folder.yaml" --workers 1 --threads 1
  done
  labels=dense,en,equal,proportional scores=$out/scores/$name-$solver
  if [[ ! -e $scores-windows.arrow ]]; then
    node packages/mbs/bin/mbs.js evaluate "${models[@]}" --labels $labels --corpus "$heldout" --length "$window" \
      --windows "$windows" --shares "$shares" --threads 1 --output "$scores-windows.arrow"
  fi
  if [[ ! -e $scores-tasks.arrow ]]; then
    node packages/mbs/bin/mbs.js evaluate "${models[@]}" --labels $labels --tasks "${prefix}_continuation,${prefix}_pairs" \
      --task-path "$tasks" ${LIMIT:+--task-limit "$LIMIT"} --threads 1 --output "$scores-tasks.arrow"
  fi
done
