#!/usr/bin/env bash
# Times a whole compression against the usual loop in torch: the same model, segments, threads and machine, in one run.
# usage: PYTHON=python-with-torch tools/bench/whole/run.sh FOLDER [SEGMENTS] [LAYERS] [HIDDEN]
set -euo pipefail
cd "$(dirname "$0")/../../.."
folder=$1 segments=${2:-32} layers=${3:-4} hidden=${4:-1024}
length=2048 threads=2
python=${PYTHON:-python3}
whole=tools/bench/whole
typescript=(node --conditions=mbs-source --import tsx)
mkdir -p "$folder"

model=$folder/model-$hidden-$layers
[[ -d $model ]] || "$python" $whole/make_model.py datasets/controlled-bloom "$model" --hidden "$hidden" --layers "$layers" --positions $length
cat > "$folder/recipe.yaml" << RECIPE
model: $model
corpus: datasets/controlled-texts/calibration.yaml
sample: { mix: "only:en", reuse: true, segments: $segments, length: $length, seed: 0 }
propagation: sequential
factor: { damping: 0.01, order: natural }
compress: { solver: gptq, bits: 4, group-size: 128, mse: false }
output: $folder/compressed
RECIPE
node_modules/.bin/mbs sample --quiet --model "$model" --corpus datasets/controlled-texts/calibration.yaml \
  --mix only:en --reuse --segments "$segments" --length $length --seed 0 > "$folder/segments.arrow"

"${typescript[@]}" $whole/gemm-peak.ts $threads > "$folder/peak-before.json"
"${typescript[@]}" $whole/ours.ts "$folder/recipe.yaml" $threads > "$folder/ours.json"
"$python" $whole/torch_loop.py "$model" "$folder/segments.arrow" --threads $threads > "$folder/torch.json"
"${typescript[@]}" $whole/gemm-peak.ts $threads > "$folder/peak-after.json"
"${typescript[@]}" $whole/table.ts "$folder" "$hidden" "$layers" "$segments" $length
