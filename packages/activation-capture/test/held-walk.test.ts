import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collect, contentAddress, encodeLayers } from "@mbs/artifacts";
import type { LayerRecord } from "@mbs/artifacts";
import { at, createObjectPool } from "@mbs/contracts";
import type { ArtifactStream, ObjectPool, StageContext } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model, BlockCut } from "@mbs/models";
import { encodeWeights } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { capture, propagate } from "../src/index.ts";
import { HeldWalk } from "../src/held-walk.ts";
import { context, makeSegments, segmentStream } from "./stage-run.ts";

const fixtures = fileURLToPath(new URL("../../models/test/fixtures/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "held-walk-test-"));
test.after(() => rm(root, { recursive: true }));

/** An artifact as a store opens it: its address is known, and it can be read again. */
interface Stored extends ArtifactStream {
  readonly address: string;
  /** How often all of it was read. */
  reads: number;
}

async function store({ schema, batches }: ArtifactStream): Promise<Stored> {
  const all = await collect(batches);
  const again = async function* () {
    yield* all;
  };
  const { address } = await contentAddress({ schema, batches: again() });
  const stored: Stored = {
    schema,
    address,
    reads: 0,
    batches: {
      async *[Symbol.asyncIterator]() {
        yield* all;
        stored.reads += 1;
      },
    },
  };
  return stored;
}

/** The tensors of sites, every value a little changed, as layers. @param withNorm whether the norm before a site is among them */
async function changedLayers(model: Model, index: number, names: readonly string[], withNorm: boolean): Promise<Stored> {
  const { name: block, sites } = at(model.blocks, index);
  const records = sites.flatMap(({ name: site, width, weights, scaledBy = [] }) => {
    if (!names.includes(site)) return [];
    const norms = withNorm ? scaledBy.map(({ tensor }) => ({ tensor, rows: 1 })) : [];
    return [...weights, ...norms].map(async ({ tensor, rows }): Promise<LayerRecord> => {
      const values = (await model.readWeight(tensor)).map((value, at) => value * (1 + (at % 3) / 4));
      return {
        block,
        site,
        tensor,
        summary: { solver: "mine", error: 0, damage: 0, sparsity: 0 },
        values: { dtype: "f32", rows, columns: width, data: encodeWeights("f32", values) },
      };
    });
  });
  const metadata = { model: model.address, solver: "mine", options: {}, order: "natural", weights: {} };
  return store(encodeLayers(await Promise.all(records), metadata));
}

async function stage(
  run: typeof capture,
  inputs: Record<string, ArtifactStream[]>,
  options: object,
  pool?: ObjectPool,
): Promise<Stored> {
  const given: StageContext = { ...context, ...(pool && { pool }) };
  const [output] = Object.values(await run.run(inputs, options, given));
  assert.ok(output);
  return store(output);
}

interface Case {
  readonly folder: string;
  /** The block that is walked; those before it are left dense. */
  readonly index: number;
  readonly withNorm?: boolean;
  readonly withDense?: boolean;
}

/** The states before a block. */
async function statesBefore(model: Model, { folder, index }: Case): Promise<Stored> {
  const segments = makeSegments().map(({ tokens, ...rest }) => ({ ...rest, tokens: tokens.map((token) => token % 50) }));
  let states = await stage(propagate, { source: [segmentStream(segments, model.tokenizerAddress)] }, { model: folder });
  for (let block = 0; block < index; block += 1) states = await stage(propagate, { source: [states] }, { model: folder });
  return states;
}

/**
 * Captures the sites of a block round by round, each with the layers of those before, and propagates.
 *
 * @param poolOf the pool of each stage
 * @returns the addresses of all that was made, and how often the states were read, and layers
 */
async function walk(model: Model, given: Case, states: Stored, poolOf: (stage: number) => ObjectPool | undefined) {
  const { folder, index, withNorm = false, withDense = false } = given;
  states.reads = 0;
  const layers: Stored[] = [];
  const addresses: string[] = [];
  const rounds = model.siteRounds(index);
  for (const [position, sites] of rounds.entries()) {
    const inputs = { source: [states], layers: [...layers], ...(withDense && { denseStates: [states] }) };
    addresses.push((await stage(capture, inputs, { model: folder, site: sites }, poolOf(position))).address);
    layers.push(await changedLayers(model, index, sites, withNorm));
  }
  const pool = poolOf(rounds.length);
  if (withDense) addresses.push((await stage(propagate, { source: [states] }, { model: folder }, pool)).address);
  addresses.push((await stage(propagate, { source: [states], layers }, { model: folder }, pool)).address);
  return { addresses, reads: states.reads, layerReads: layers.reduce((sum, { reads }) => sum + reads, 0) };
}

/** A folder with an exported graph. */
async function exportedGraph(): Promise<string> {
  const folder = join(root, "graph");
  await cp(`${fixtures}onnx/qwen2-cache-f16`, folder, { recursive: true });
  for (const file of ["config.json", "tokenizer.json"]) await cp(`${fixtures}forward/qwen2-tied-f16/${file}`, join(folder, file));
  return folder;
}

const forward = (name: string): string => `${fixtures}forward/${name}`;
const cases: readonly (readonly [string, Case])[] = [
  ["BLOOM", { folder: forward("plain-f32"), index: 1 }],
  ["a parallel residual", { folder: forward("gpt-neox-parallel-f32"), index: 0 }],
  ["routed experts", { folder: forward("mixtral-f32"), index: 0 }],
  ["an encoder", { folder: forward("mt5-f32"), index: 1 }],
  ["a decoder that reads an encoder", { folder: forward("mt5-f32"), index: 2 }],
  ["an ONNX graph", { folder: await exportedGraph(), index: 1 }],
  ["the dense model beside", { folder: forward("llama-grouped-f32"), index: 0, withDense: true }],
];
for (const [what, given] of cases) {
  test(`${what}: a walk in memory, in a file, in both, and starting over give the same bytes`, async () => {
    const model = await openModel(given.folder);
    const states = await statesBefore(model, given);
    const { length: rounds } = model.siteRounds(given.index);
    const over = await walk(model, given, states, () => undefined);
    const perStage = given.withDense === true ? 2 : 1;
    assert.is(over.reads, rounds * perStage + perStage, "without a pool every stage reads the states");
    // of an encoder-decoder the states of the other stream are passed on
    const passedOn = model.streams.length > 1 ? 1 : 0;
    for (const bytes of [1024 ** 3, 0, 20_000]) {
      const pool = createObjectPool(bytes);
      const held = await walk(model, given, states, () => pool);
      assert.equal(held.addresses, over.addresses, `with a pool of ${bytes} bytes`);
      assert.is(held.reads, perStage + passedOn, "the states are read once, where the block begins");
      if (bytes > 20_000) assert.is(held.layerReads, rounds, "layers are read once, after they were made");
      await pool.close();
    }
    // as if the run had been interrupted after each of its stages
    const pools = Array.from({ length: rounds + 1 }, () => createObjectPool());
    for (let lost = 1; lost <= rounds; lost += 1) {
      const again = await walk(model, given, states, (position) => at(pools, position < lost ? 0 : lost));
      assert.equal(again.addresses, over.addresses, `starting over at stage ${lost}`);
    }
    for (const pool of pools) await pool.close();
    await model.close();
  });
}

test("layers that change what a walk has used are not passed by", async () => {
  const given: Case = { folder: forward("llama-grouped-f32"), index: 0, withNorm: true };
  const model = await openModel(given.folder);
  const states = await statesBefore(model, given);
  const over = await walk(model, given, states, () => undefined);
  const pool = createObjectPool();
  const held = await walk(model, given, states, () => pool);
  assert.equal(held.addresses, over.addresses);
  // the norms before attention-qkv and mlp-up change, so attention-output and mlp-down are reached from the beginning
  assert.is(held.reads, 3);
  await pool.close();
  await model.close();
});

test("a walk of other states, layers or sites is not gone on with", async () => {
  const given: Case = { folder: forward("llama-grouped-f32"), index: 0 };
  const model = await openModel(given.folder);
  const states = await statesBefore(model, given);
  const next = await statesBefore(model, { ...given, index: 1 });
  const [first, second] = ["attention-qkv", "attention-output"];
  const layers = await changedLayers(model, 0, [first], false);
  const others = await changedLayers(model, 0, [first], true);
  const pool = createObjectPool();
  const run = (source: Stored, site: string | undefined, given: Stored[], used?: ObjectPool) =>
    stage(capture, { source: [source], layers: given }, { model: model.path, site: [site] }, used);
  for (const [source, site, used] of [
    [next, second, []],
    [states, first, []],
    [states, second, []],
    [states, second, [others]],
  ] as const) {
    await run(states, second, [layers], pool);
    const expected = await run(source, site, [...used]);
    assert.is((await run(source, site, [...used], pool)).address, expected.address);
  }
  await pool.close();
  await model.close();
});

const cutOf = (...values: number[]): BlockCut => ({
  block: 0,
  round: 1,
  passed: new Set(["qkv"]),
  batch: 1,
  lengths: [1],
  live: new Map([
    ["x", { type: "float32", dims: [values.length], data: Float32Array.from(values) }],
    ["rows", { type: "int64", dims: [1], data: BigInt64Array.of(7n) }],
  ]),
  used: new Set(["norm"]),
});

test("what fits neither memory nor disk is not held", async () => {
  const batches = [0, 1, 2].map((first) => ({
    first,
    language: "en",
    segments: [{ segment: first, language: "en", lengths: [1] }],
  }));
  const [a, b, c] = [at(batches, 0), at(batches, 1), at(batches, 2)];
  // each cut has 16 bytes
  const walk = new HeldWalk(batches, { memory: 16, disk: 16 });
  for (const batch of batches) await walk.put(batch, cutOf(batch.first, 2));
  assert.equal([walk.bytes, walk.isWhole], [16, false]);
  walk.turn({ byAddress: new Map(), weights: new Map() });
  assert.equal([walk.take(a), walk.take(b), walk.take(c)], [cutOf(0, 2), cutOf(1, 2), undefined]);
  assert.is(walk.take(a), undefined, "a cut is taken once");
  assert.is(walk.bytes, 0);
  await walk.close();
});

test.run();
