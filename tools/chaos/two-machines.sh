#!/usr/bin/env bash
# Runs a recipe on two workers that share nothing but a network: each in a network namespace of its own, with a Redis server and
# an S3 server in a third one, beside the run. The run is killed with SIGKILL twice, and a worker once; at the end the model and the scores
# must have the bytes of a run on this machine alone.
# usage: tools/chaos/two-machines.sh FOLDER     (root, ip netns, redis-server, and a build; about two minutes)
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:?name an empty folder}
mkdir -p "$folder"/{models,redis,s3}
folder=$(cd "$folder" && pwd)
ln -sfn "$PWD/datasets/controlled-bloom" "$folder/models/bloom"
mbs=packages/mbs/bin/mbs.js

pids=()
finish() {
  ((${#pids[@]} == 0)) || kill -9 "${pids[@]}" 2>/dev/null || true
  for name in head a b; do ip netns del "mbs-$name" 2>/dev/null || true; done
}
trap finish EXIT

# three namespaces on one bridge, which lies in the first; nothing else is on it
for name in head a b; do ip netns add "mbs-$name"; ip -n "mbs-$name" link set lo up; done
ip -n mbs-head link add bridge type bridge
ip -n mbs-head addr add 10.77.0.1/24 dev bridge
ip -n mbs-head link set bridge up
number=2
for name in a b; do
  ip -n mbs-head link add "to-$name" type veth peer name eth0 netns "mbs-$name"
  ip -n mbs-head link set "to-$name" master bridge up
  ip -n "mbs-$name" addr add "10.77.0.$number/24" dev eth0
  ip -n "mbs-$name" link set eth0 up
  number=$((number + 1))
done

(umask 077 && node -p 'require("node:crypto").randomBytes(24).toString("hex")' >"$folder/password")
(umask 077 && printf '%s\n' "bind 10.77.0.1" "port 6379" "dir $folder/redis" "appendonly yes" 'save ""' "maxmemory-policy noeviction" \
  "requirepass $(<"$folder/password")" >"$folder/redis.conf")
ip netns exec mbs-head redis-server "$folder/redis.conf" >"$folder/redis.log" 2>&1 &
pids+=($!)
ip netns exec mbs-head node --import tsx packages/shared-store/test/s3-server-child.ts "$folder/s3" artifacts 10.77.0.1 9000 \
  >"$folder/s3.log" 2>&1 &
pids+=($!)
export AWS_ENDPOINT_URL=http://10.77.0.1:9000 AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
place=(--queue redis://10.77.0.1:6379 --queue-password-file "$folder/password" --store s3://artifacts/runs)

recipe() { # recipe NAME: writes NAME.yaml
  cat >"$folder/$1.yaml" <<RECIPE
model: $folder/models/bloom
corpus: datasets/controlled-texts/calibration.yaml
sample: { mix: equal, segments: 32, length: 128 }
shards: 4
compress: { solver: gptq, bits: 3, group-size: 64 }
evaluate: { corpus: datasets/controlled-texts/validation.yaml, windows: 2, length: 128 }
output: $folder/$1
RECIPE
}
hashes() { (cd "$folder/$1" && sha256sum model/*.safetensors scores.arrow); }

recipe alone
node $mbs run "$folder/alone.yaml" --workers 1 --threads 1 --quiet
recipe cluster
worker() { # worker NAME: starts one in its namespace
  ip netns exec "mbs-$1" node $mbs work "${place[@]}" --model-root "$folder/models" >>"$folder/worker-$1.log" 2>&1 &
  pids+=($!)
  last=$!
}
run() { exec ip netns exec mbs-head node $mbs run "$folder/cluster.yaml" --engine queue "${place[@]}" --threads 1 --quiet; }
sleep 2
worker a
worker b
b=$last
nodes() { grep -c '": {' "$folder/cluster/run/manifest.json" || true; }
(run) 2>>"$folder/run.log" &
first=$!
sleep 15
kill -9 "$first"
printf 'killed the run after 15 s: %s nodes were done\n' "$(nodes)"
(run) 2>>"$folder/run.log" &
second=$!
sleep 10
kill -9 "$b"
printf 'killed a worker 10 s later: %s nodes were done\n' "$(nodes)"
worker b
sleep 10
kill -9 "$second"
printf 'killed the run again, 10 s later: %s nodes were done\n' "$(nodes)"
(run) 2>>"$folder/run.log" &
third=$!
started=$SECONDS
wait "$third"
printf 'the run ended %s s later\n' $((SECONDS - started))
if diff <(hashes alone) <(hashes cluster); then printf 'model and scores: the same bytes as on one machine\n'; else exit 1; fi
