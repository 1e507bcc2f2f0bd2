#!/usr/bin/env bash
# The tests that compare numbers, as if on another processor: run.sh CPU [FOLDER [PATTERN]]. Needs qemu-user and ./scripts/setup.
# CPU as `qemu-x86_64 -cpu help` names it: EPYC-Rome has AVX2 and FMA, SandyBridge AVX alone, Nehalem neither. Slow: allow an hour.
set -uo pipefail
cd "$(dirname "$0")/../.."
cpu=${1:?which processor, for instance EPYC-Rome}
command -v qemu-x86_64 >/dev/null || {
  printf 'qemu-x86_64 is not on the path; install the package qemu-user\n' >&2
  exit 1
}
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT

# Children are started by the name `node` or by process.execPath: both lead to the emulator.
node=$(node -p process.execPath)
printf '#!/bin/sh\nexec qemu-x86_64 -cpu %s "%s" "$@"\n' "$cpu" "$node" >"$bin/node"
chmod +x "$bin/node"
printf 'process.execPath = "%s";\n' "$bin/node" >"$bin/children.cjs"
# Without guard regions around WebAssembly memories, 10 GB of addresses each, for which the emulator pays page by page.
export PATH="$bin:$PATH" NODE_OPTIONS="--require=$bin/children.cjs --disable-wasm-trap-handler"

failed=0
tests() { # tests FOLDER [PATTERN]
  local log=$bin/log start=$SECONDS
  node --conditions=mbs-source --import tsx node_modules/uvu/bin.js "$1" "(${2:-}).*\.test\.ts$" 2>&1 | grep -av "TCG doesn't support" >"$log"
  local status=${PIPESTATUS[0]}
  printf '%s %s %s: %s %ss\n' "$cpu" "$1" "${2:-}" "$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -aE 'Total|Passed|Skipped' | tr -s ' \n' ' ')" $((SECONDS - start))
  if [ "$status" -ne 0 ]; then
    failed=1
    cat "$log"
  fi
}

# Left out: tests of plain TypeScript and of WebAssembly, whose results the standards fix to the bit.
if [ $# -gt 1 ]; then tests "$2" "${3:-}"; else
  tests packages/onnx/test
  tests packages/models/test 'forward|graph-model'
  tests packages/hessian-solving/test
  tests packages/activation-capture/test
  tests packages/compression/test
  tests packages/language-similarity/test
  tests packages/evaluation/test
  tests packages/assembly/test 'onnx|packed-formats|quantised-linear|round-trip|token-table|transformers-js'
  tests packages/mbs/test 'architectures|mix-stage|onnx|packed-round-trip|scaled-layers|source-target'
fi
exit $failed
