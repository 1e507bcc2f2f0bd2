#!/usr/bin/env bash
# Compresses a few blocks with BLOOM-7b1's shape (sharded bf16, random weights): time of each node and peak memory, beside
# what `mbs estimate` says of the same recipe.
# usage: PYTHON=python-with-torch tools/bench/large/run.sh FOLDER [LAYERS] [SEGMENTS]
set -euo pipefail
cd "$(dirname "$0")/../../.."
folder=$1 layers=${2:-2} segments=${3:-8} threads=2
mkdir -p "$folder"

model=$folder/model-$layers
[[ -d $model ]] || "${PYTHON:-python3}" tools/bench/whole/make_model.py datasets/controlled-bloom "$model" \
  --hidden 4096 --heads 32 --layers "$layers" --dtype bfloat16 --shard 500MB
cat > "$folder/recipe.yaml" << RECIPE
model: $model
corpus: datasets/controlled-texts/calibration.yaml
sample: { mix: "en=$((segments / 2)),zh-Hans=$((segments / 4)),fr=$((segments - segments / 2 - segments / 4))", reuse: true, length: 2048, seed: 0 }
propagation: sequential
solve: { damping: 0.01 }
compress: { solver: gptq, bits: 3, group-size: 128 }
output: $folder/compressed
RECIPE

node_modules/.bin/mbs estimate "$folder/recipe.yaml" --threads $threads --json > "$folder/estimate.json"
node --conditions=mbs-source --import tsx tools/bench/whole/ours.ts "$folder/recipe.yaml" $threads > "$folder/ours.json"
node --conditions=mbs-source --import tsx tools/bench/large/table.ts "$folder"
