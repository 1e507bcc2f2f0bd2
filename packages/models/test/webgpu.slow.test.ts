import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { at } from "@mbs/contracts";
import { deviceReport } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hasWebgpu } from "../../../tools/test/webgpu.ts";
import { openModel, runBlocks } from "../src/index.ts";

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

names.filter((_, index) => !choosing[index]).forEach(check);
webgpu("every graph ran as a whole there", () => {
  assert.equal(deviceReport().splitGraphs, []);
});
// which tokens go where is found on the processor
names.filter((_, index) => choosing[index]).forEach(check);

test.run();
