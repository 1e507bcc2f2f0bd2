#!/usr/bin/env bash
# What an importance matrix is worth in each language: run.sh WORK [TYPE …]; README.md says what WORK must hold.
set -euo pipefail
W=$1; shift; TYPES=("$@"); [ ${#TYPES[@]} -gt 0 ] || TYPES=(Q2_K-pure Q3_K_S)
WINDOWS=${WINDOWS:-8} THREADS=${THREADS:-2} SEGMENTS=${SEGMENTS:-64}
HERE=$(cd "$(dirname "$0")" && pwd); MBS="$HERE/../../node_modules/.bin/mbs"
M="$W/gemma-3-270m-q4_k_m.gguf" T="$W/texts"

# as many tokens of English alone as of all languages together
capture() {
  [ -e "$W/$1-segments.arrow" ] || "$MBS" sample --model "$M" --corpus "$T/calibration.yaml" --mix "$2" --segments "$SEGMENTS" --length 512 --output "$W/$1-segments.arrow"
  [ -e "$W/$1-statistics.arrow" ] || "$MBS" capture --model "$M" --statistics diagonal --threads "$THREADS" --source "$W/$1-segments.arrow" --output "$W/$1-statistics.arrow"
}
imatrix() { [ -d "$W/$1" ] || "$MBS" imatrix --model "$M" "${@:3}" --statistics "$W/$2-statistics.arrow" --output "$W/$1"; }
capture all equal
capture english only:en
imatrix english english
imatrix equal all --mix equal
imatrix proportional all --mix proportional --distribution "$T/shares.json"

models=(--model "$M") labels=dense
for type in "${TYPES[@]}"; do
  for mix in none english equal proportional; do
    G="$W/$type-$mix.gguf"
    [ -e "$G" ] || (cd "$HERE/../.." && node --conditions=mbs-source --import tsx tools/imatrix-check/quantise.ts "$W/llama" "$M" "$type" "$G" $([ $mix = none ] || echo "$W/$mix/imatrix.gguf")) > "$W/$type-$mix.log" 2>&1
    models+=(--model "$G") labels+=",$type-$mix"
  done
done
"$MBS" evaluate "${models[@]}" --labels "$labels" --corpus "$T/heldout.yaml" --length 512 --windows "$WINDOWS" --shares "$T/shares.json" --threads "$THREADS" --output "$W/scores.arrow"
