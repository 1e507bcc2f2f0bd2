#!/usr/bin/env bash
# Compresses and scores one block and the head of Llama 3 8B's shape (sharded bf16, random weights): time of each node and peak
# memory, beside what `mbs estimate` says of the same recipe and of all 32 blocks.
# usage: PYTHON=python-with-torch tools/bench/large/run.sh FOLDER [SEGMENTS] [THREADS]
set -euo pipefail
cd "$(dirname "$0")/../../.."
folder=$1 segments=${2:-128} threads=${3:-2}
mkdir -p "$folder"

model=$folder/model-1
[[ -d $model ]] || "${PYTHON:-python3}" tools/bench/programs/make_model.py llama-8b-block datasets/controlled-bloom "$model"
[[ -d $folder/model-32 ]] || node --import tsx tools/bench/large/stretch-model.ts "$model" "$folder/model-32" 32

recipe() { # recipe NAME MODEL: writes NAME.yaml
  cat > "$folder/$1.yaml" << RECIPE
model: $2
corpus: datasets/controlled-texts/calibration.yaml
sample: { mix: "en=$((segments / 2)),zh-Hans=$((segments / 4)),fr=$((segments - segments / 2 - segments / 4))", reuse: true, length: 2048, seed: 0 }
compress: { solver: gptq, bits: 4, group-size: 128 }
evaluate: { corpus: datasets/controlled-texts/validation.yaml, windows: 1, length: 256 }
output: $folder/compressed-$1
RECIPE
}

recipe part "$model"
recipe all-blocks "$folder/model-32"
for name in part all-blocks; do
  node_modules/.bin/mbs estimate "$folder/$name.yaml" --threads "$threads" --json > "$folder/estimate-$name.json"
done
node --conditions=mbs-source --import tsx tools/bench/large/nodes.ts "$folder/part.yaml" "$threads" > "$folder/ours.json"
node --conditions=mbs-source --import tsx tools/bench/large/table.ts "$folder"
