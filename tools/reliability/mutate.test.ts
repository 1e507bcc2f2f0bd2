import { suite } from "uvu";
import * as assert from "uvu/assert";
import { drawOf } from "./mutations/draw.ts";
import { mutateBytes } from "./mutations/mutate-bytes.ts";
import { mutateJson } from "./mutations/mutate-json.ts";
import { readers } from "./mutations/readers.ts";
import { runMutations } from "./mutations/run-mutations.ts";

const test = suite("mutations");

/**
 * Mutations of each reader in every run of the tests: 10,000, and fewer where one takes 0.3 ms or more, so that all of
 * them together take about 25 s of a processor, loading included. tools/reliability/mutate.ts takes any number.
 */
const counts: Readonly<Record<string, number>> = {
  arrow: 10_000,
  flight: 5000,
  grpc: 10_000,
  queue: 10_000,
  imatrix: 3000,
  safetensors: 3000,
  "arrow-content": 400,
  config: 500,
  tokenizer: 250,
  gguf: 120,
  recipe: 120,
  onnx: 100,
  task: 75,
  "onnx-run": 50,
};

test("no mutation of an input crashes or stops a reader, is a fault of the program, or is read as something else", async () => {
  assert.equal(Object.keys(counts).toSorted(), [...readers.keys()].toSorted());
  const parts = Object.entries(counts).map(([reader, count]) => ({ reader, first: 0, count }));
  const found = await runMutations({ seed: 0, parts, patience: 300_000, memory: 0 });
  const faults = found.flatMap((count) => count.faults);
  assert.equal(
    faults,
    [],
    "node --conditions=mbs-source --import tsx tools/reliability/mutate.ts --reader … --seed 0 --only NUMBER repeats one",
  );
  assert.equal(
    found.map(({ reader, mutations }) => [reader, mutations]),
    Object.entries(counts),
  );
  for (const { reader, read, mutations } of found) {
    // hashes protect every byte of an artifact; few graphs are left that can be run
    if (reader === "arrow") assert.is(read, 0);
    else assert.ok((read > 0 || reader === "onnx-run") && read < mutations, `${reader} has read ${read} of ${mutations}`);
  }
});

test("a mutation is the same for the same seed and number, and others are others", () => {
  const json = new TextEncoder().encode(JSON.stringify({ a: [1, "text", { b: true }], c: "d" }));
  for (const mutate of [mutateBytes, mutateJson]) {
    const made = (number: number) => Buffer.from(mutate(json, drawOf(7, "reader", number))).toString("latin1");
    const all = Array.from({ length: 500 }, (_, number) => made(number));
    assert.is(made(3), all[3]);
    assert.ok(new Set(all).size > 200, `${new Set(all).size} different ones`);
  }
});

test("what crashes, stops or fills its process, fails as a bug, or is read wrongly is found, and the rest goes on", async () => {
  const names = ["sound", "bug", "wrong", "crash", "endless", "memory"];
  const found = await runMutations({
    seed: 0,
    most: 3,
    patience: 10_000,
    memory: 2 ** 29,
    parts: names.map((reader) => ({ reader, first: 0, count: 8 })),
    readers: new URL("mutations/broken-readers.ts", import.meta.url).href,
  });
  const said = found.map(({ reader, faults }) => [
    reader,
    faults.map(({ number, what }) => `${number}: ${what.split(/:? *[-\n]/)[0]}`),
  ]);
  const [, , , , , [, memory = []] = []] = said;
  assert.equal(said.slice(0, 5), [
    ["sound", []],
    ["bug", ["5: TypeError: a bug"]],
    ["wrong", ["5: Error: not what it says"]],
    ["crash", ["5: ended its process with SIGABRT"]],
    ["endless", ["5: did not end within 10000 ms"]],
  ]);
  assert.match(String(memory), /^5: Error: the process has used \d+ MiB$/);
  assert.equal(
    found.map(({ mutations }) => mutations),
    names.map(() => 8),
  );
});

test.run();
