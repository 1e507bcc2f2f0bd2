import { collect, readStatistics } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, createObjectPool } from "@mbs/contracts";
import type { ArtifactStream, StageContext } from "@mbs/contracts";
import { deviceReport } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hasWebgpu } from "../../../tools/test/webgpu.ts";
import { capture, propagate } from "../src/index.ts";
import { bothStates, changedLayer, collectStates, context, keep, rounding, withModel } from "./stage-run.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

const webgpu = hasWebgpu ? test : (name: string): void => test.skip(name);

async function statisticsOf(
  source: ArtifactStream,
  denseStates: readonly ArtifactStream[],
  options: object,
  given: StageContext,
): Promise<readonly Statistic[]> {
  const { statistics } = await capture.run({ source: [source], denseStates }, options, given);
  assert.ok(statistics);
  return collect(readStatistics(statistics));
}

const nameOf = ({ site, language, kind }: Statistic): string => `${site} ${language} ${kind}`;

function requireNear(found: readonly Statistic[], wanted: readonly Statistic[]): void {
  assert.equal(found.map(nameOf), wanted.map(nameOf));
  for (const [index, statistic] of wanted.entries()) {
    const off = relativeDifference(at(found, index).values, statistic.values);
    assert.ok(off < rounding, `${nameOf(statistic)} is off by ${off}`);
  }
}

for (const normaliseTokens of [false, true]) {
  webgpu(
    `what a graphics processor captures is what the processor does${normaliseTokens ? ", of normalised tokens" : ""}`,
    async () => {
      await withModel(async (folder, model) => {
        const { compressed, dense } = await bothStates(folder, model);
        const options = { model: folder, normaliseTokens };
        const wanted = await statisticsOf(compressed, [dense], options, context);
        requireNear(await statisticsOf(compressed, [dense], options, { ...context, device: "webgpu" }), wanted);
      });
    },
  );
}

webgpu("a block that is walked site by site waits on the graphics processor", async () => {
  await withModel(async (folder, model) => {
    const { start } = await bothStates(folder, model);
    const pool = createObjectPool();
    const [plain, pooled] = [
      { ...context, device: "webgpu" },
      { ...context, device: "webgpu", pool },
    ] as const;
    // known by their address, as those of a run are
    const states = { ...start, address: "a".repeat(64) };
    const copied = { plain: 0, pooled: 0 };
    for (const { name } of at(model.blocks, 0).sites) {
      const options = { model: folder, site: [name] };
      const before = deviceReport();
      const wanted = await statisticsOf(states, [], options, plain);
      const between = deviceReport();
      requireNear(await statisticsOf(states, [], options, pooled), wanted);
      copied.plain += between.uploadedBytes - before.uploadedBytes;
      copied.pooled += deviceReport(between).uploadedBytes;
    }
    assert.ok(copied.pooled < copied.plain / 2, `${copied.pooled} bytes were copied in place of ${copied.plain}`);
    const layers = [await changedLayer(model)];
    const after = await Promise.all(
      [plain, pooled].map(async (given) => {
        const { states: made } = await propagate.run({ source: [states], layers }, { model: folder }, given);
        assert.ok(made);
        return collectStates(await keep(made));
      }),
    );
    const [wanted, found] = after as [(typeof after)[0], (typeof after)[0]];
    assert.is(found.length, wanted.length);
    for (const [index, { values }] of wanted.entries()) assert.ok(relativeDifference(at(found, index).values, values) < rounding);
    await pool.close();
  });
});

test.run();
