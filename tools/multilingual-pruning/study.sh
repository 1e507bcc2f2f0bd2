#!/usr/bin/env bash
# The study of docs/measured/multilingual-pruning.md for one seed: ./study.sh SEED FOLDER. Some minutes on one core; needs ./scripts/setup.
# Captures are dense and shared; every mix has the same tokens. FOLDER/MIX-SPARSITY.json is what `mbs evaluate` says.
set -euo pipefail
cd "$(dirname "$0")/../.."
seed=$1 out=$2
model=datasets/controlled-bloom texts=datasets/controlled-texts
mkdir -p "$out"
run() { node packages/mbs/bin/mbs.js "$@" --threads 1 --quiet; }

# name, solver and its options, method of allocation and its options
single=("wanda|wanda|" "wanda, OWL|wanda|owl")
several=("m-wanda|m-wanda|" "m-wanda, λ = 10|m-wanda --variance 10|" "wanda, correlation|wanda|correlation"
  "m-wanda, correlation|m-wanda|correlation" "m-wanda, correlation, specific|m-wanda|correlation --favour specific")

for mix in only:en proportional equal; do
  rows=("${single[@]}")
  [[ $mix == only:en ]] || rows+=("${several[@]}")
  if [[ ! -e $out/$mix.arrow ]]; then
    run sample --model $model --corpus $texts/calibration.yaml --mix $mix --segments 128 --seed "$seed" |
      run capture --model $model --statistics diagonal - |
      run factor --upper off --language-diagonals - --output "$out/$mix.arrow"
  fi
  for sparsity in 0.5 0.6; do
    if [[ -e $out/$mix-$sparsity.json ]]; then continue; fi
    models=(--model $model) labels=dense
    for row in "${rows[@]}"; do
      IFS='|' read -r name solver method <<<"$row"
      share=(--sparsity $sparsity) folder=$out/models/${#models[@]}
      if [[ -n $method ]]; then
        run allocate --model $model --method $method "${share[@]}" <"$out/$mix.arrow" --output "$out/allocation.arrow" --force
        share=(--allocation "$out/allocation.arrow")
      fi
      run compress --model $model --solver $solver "${share[@]}" <"$out/$mix.arrow" |
        run assemble --model $model --output "$folder" --force - >/dev/null
      models+=(--model "$folder") labels+=",${name//,/;}"
    done
    run evaluate "${models[@]}" --labels "$labels" --corpus $texts/heldout.yaml --windows 24 --json >"$out/part.json"
    mv "$out/part.json" "$out/$mix-$sparsity.json"
  done
done
