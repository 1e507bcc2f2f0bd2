#!/bin/sh
# Makes packages/reporting/test/fixtures: scores and similarities of the controlled model, small enough to keep.
# From the repository's root, after `npm run build`: about 8 minutes on two busy cores.
set -eu

M=datasets/controlled-bloom
C=datasets/controlled-texts/calibration.yaml
V=datasets/controlled-texts/heldout.yaml
OUT=$(mktemp -d)
FIXTURES=packages/reporting/test/fixtures

models="--model $M" labels=dense
for solver in sparsegpt wanda; do
  for mix in only:en equal proportional; do
    name=$solver-${mix#only:}
    npx mbs sample --model $M --corpus $C --mix "$mix" --segments 32 --length 256 --force --output "$OUT/segments.arrow"
    npx mbs capture --model $M < "$OUT/segments.arrow" > "$OUT/statistics.arrow"
    npx mbs factor < "$OUT/statistics.arrow" | npx mbs compress --model $M --solver $solver --sparsity 0.5 |
      npx mbs assemble --model $M --output "$OUT/$name"
    models="$models --model $OUT/$name" labels="$labels,$name"
    if [ "$mix" = equal ]; then npx mbs similarity --quiet < "$OUT/statistics.arrow" > $FIXTURES/controlled-similarity.arrow; fi
  done
done
npx mbs factor < "$OUT/statistics.arrow" | npx mbs compress --model $M --solver gptq --bits 3 --group-size 64 --symmetric |
  npx mbs assemble --model $M --output "$OUT/gptq-3bit" --format compressed-tensors
models="$models --model $OUT/gptq-3bit" labels="$labels,gptq-3bit"

# shellcheck disable=SC2086 # a flag a word
npx mbs evaluate $models --labels "$labels" --corpus $V --length 256 --windows 8 > $FIXTURES/controlled-scores.arrow
rm -r "$OUT"
