#!/usr/bin/env bash
# Compresses a few blocks with BLOOM-7b1's shape (sharded bf16, random weights): time of each node and peak memory, beside
# what `mbs estimate` says of the same recipe, of all 30 blocks, and of all 30 with the paper's 256 segments.
# usage: PYTHON=python-with-torch tools/bench/large/run.sh FOLDER [LAYERS] [SEGMENTS]
set -euo pipefail
cd "$(dirname "$0")/../../.."
folder=$1 layers=${2:-2} segments=${3:-8} threads=2
mkdir -p "$folder"

model=$folder/model-$layers
[[ -d $model ]] || "${PYTHON:-python3}" tools/bench/whole/make_model.py datasets/controlled-bloom "$model" \
  --hidden 4096 --heads 32 --layers "$layers" --dtype bfloat16 --shard 500MB
[[ -d $folder/model-30 ]] || node --import tsx tools/bench/large/stretch-model.ts "$model" "$folder/model-30" 30

recipe() { # recipe NAME MODEL SEGMENTS: writes NAME.yaml
  cat > "$folder/$1.yaml" << RECIPE
model: $2
corpus: datasets/controlled-texts/calibration.yaml
sample: { mix: "en=$(($3 / 2)),zh-Hans=$(($3 / 4)),fr=$(($3 - $3 / 2 - $3 / 4))", reuse: true, length: 2048, seed: 0 }
propagation: sequential
factor: { damping: 0.01 }
compress: { solver: gptq, bits: 3, group-size: 128, symmetric: true }
output: $folder/compressed-$1
RECIPE
}

recipe part "$model" "$segments"
recipe all-blocks "$folder/model-30" "$segments"
recipe all-segments "$folder/model-30" 256
for name in part all-blocks all-segments; do
  node_modules/.bin/mbs estimate "$folder/$name.yaml" --threads $threads --json > "$folder/estimate-$name.json"
done
node --conditions=mbs-source --import tsx tools/bench/whole/ours.ts "$folder/part.yaml" $threads > "$folder/ours.json"
node --conditions=mbs-source --import tsx tools/bench/large/table.ts "$folder"
