import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { deviceReport, freeMatrix, readMatrix } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hasWebgpu } from "../../../tools/test/webgpu.ts";
import { embedStreams, openModel, runBlocks, statesOf } from "../src/index.ts";
import { walkBlock } from "../src/testing.ts";

interface Golden {
  source?: number[];
  tokens: number[];
  rows: number[];
  logits: number[][];
  losses: number[];
}

/** As in forward.test.ts: what single precision may differ from transformers, whose sums run in another order. */
const rounding = 1e-3;

const fixtures = fileURLToPath(new URL("fixtures/forward/", import.meta.url));

const webgpu = hasWebgpu ? test : (name: string): void => test.skip(name);

/** Whether some of its tokens go through other weights than others. */
async function choosesExperts(name: string): Promise<boolean> {
  return /"num_(local_)?experts": *[1-9]/.test(await readFile(`${fixtures}${name}/config.json`, "utf8"));
}

const names = await readdir(fixtures);
const choosing = await Promise.all(names.map(choosesExperts));

function check(name: string): void {
  webgpu(`logits and losses of ${name} are those of transformers by WebGPU too`, async () => {
    const golden = JSON.parse(await readFile(`${fixtures}${name}/golden.json`, "utf8")) as Golden;
    const model = await openModel(`${fixtures}${name}`);
    const forward = await model.forward({ threads: 1, device: "webgpu" });
    const before = deviceReport().uploads;
    const tokens = Int32Array.from(golden.tokens);
    const { source } = golden;
    const inputs = new Map([...(source ? [["encoder", Int32Array.from(source)] as const] : []), ["hidden", tokens] as const]);
    const states = await runBlocks(model, forward, inputs);
    const logits = await forward.logits(states);
    const losses = await forward.score(states, tokens);
    await forward.close();
    await model.close();
    for (const [index, row] of golden.rows.entries()) {
      for (const [column, expected] of at(golden.logits, index).entries()) {
        const off = Math.abs(expected - at(logits.values, row * logits.columns + column));
        assert.ok(off < rounding, `logit ${column} of row ${row} is off by ${off}`);
      }
    }
    for (const [index, expected] of golden.losses.entries()) {
      const off = Math.abs(expected - at(losses, index));
      assert.ok(off < rounding, `loss ${index} is off by ${off}`);
    }
    assert.ok(deviceReport().uploads > before, "nothing went to the graphics processor");
  });
}

/** Within single precision, of the largest value: sums of a few products of 64 terms. */
function requireNear(found: Matrix, wanted: Matrix, name: string): void {
  assert.equal([found.rows, found.columns], [wanted.rows, wanted.columns], name);
  const [most, worst] = wanted.values.reduce<readonly [number, number]>(
    ([largest, off], value, index) => [
      Math.max(largest, Math.abs(value)),
      Math.max(off, Math.abs(value - at(found.values, index))),
    ],
    [0, 0],
  );
  assert.ok(worst <= 1e-5 * most, `${name} is off by ${worst} of ${most}`);
}

/** @param isWhole whether all of its graphs run there: those that choose experts do not */
function checkWalk(name: string, isWhole: boolean): void {
  webgpu(
    `what is between the parts of a block of ${name}, and between its blocks, stays there, with the same values`,
    async () => {
      const model = await openModel(`${fixtures}${name}`);
      const [cpu, device] = [await model.forward({ threads: 1 }), await model.forward({ threads: 1, device: "webgpu" })];
      const batch = 2;
      const segments = Array.from(
        { length: batch },
        (_, segment) =>
          new Map(model.streams.map((stream) => [stream, Int32Array.from({ length: 6 }, (_, token) => 3 + segment + token)])),
      );
      const states = await embedStreams(cpu, ...segments);
      const index = model.blocks.length - 1;
      const { stream, sites } = at(model.blocks, index);
      const own = statesOf(states, stream);
      const wanted = await walkBlock(model, cpu, index, own, { batch, reads: states });
      const found = await walkBlock(model, device, index, own, { batch, reads: states });
      for (const [site, input] of wanted.sites) requireNear(statesOf(found.sites, site), input, site);
      requireNear(found.states, wanted.states, "the states after it");
      let cut = await device.beginBlock(index, own, { batch, reads: states });
      const before = deviceReport();
      while (cut.passed.size < sites.length) ({ cut } = await device.nextSites(cut));
      const end = await device.endBlock(cut);
      requireNear(end, wanted.states, "the states after it, without a look at its sites");
      const { downloads, downloadedBytes } = deviceReport(before);
      if (isWhole) assert.equal([downloads, downloadedBytes], [1, end.values.byteLength]);
      const kept = await device.keptBlock?.(index, own, { batch, reads: states });
      // absent where a block reads more of each token than its states
      if (kept !== undefined) {
        assert.is("tensor" in kept, isWhole);
        requireNear(await readMatrix(kept), wanted.states, "the states that stay");
        freeMatrix(kept);
      }
      for (const forward of [cpu, device]) await forward.close();
      await model.close();
    },
  );
}

for (const [index, name] of names.entries()) {
  if (choosing[index]) continue;
  check(name);
  checkWalk(name, true);
}
webgpu("every graph ran as a whole there", () => {
  assert.equal(deviceReport().splitGraphs, []);
});
// which tokens go where is found on the processor
for (const [index, name] of names.entries()) {
  if (!choosing[index]) continue;
  check(name);
  checkWalk(name, false);
}

test.run();
