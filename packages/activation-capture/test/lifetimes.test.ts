import { collect, readStatistics } from "@mbs/artifacts";
import { at, createObjectPool } from "@mbs/contracts";
import type { ArtifactStream, StageContext } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { canCount, CountingDevice } from "../../../tools/test/counting-device.ts";
import { capture, propagate } from "../src/index.ts";
import { bothStates, changedLayer, collectStates, context, rounding, withModel } from "./stage-run.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

const counted = canCount ? test : (name: string): void => test.skip(name);
const device = new CountingDevice();

const there: StageContext = { ...context, device: "webgpu" };

async function statisticsOf(
  source: ArtifactStream,
  options: object,
  given: StageContext,
  denseStates: readonly ArtifactStream[] = [],
) {
  const { statistics } = await capture.run({ source: [source], denseStates }, options, given);
  assert.ok(statistics);
  return collect(readStatistics(statistics));
}

/** How often work went on, and how often not, with a fault in every 41st of its runs: a capture has hundreds. */
async function withFaults(fault: "full" | "lost", work: () => Promise<object>): Promise<{ done: number; failed: number }> {
  const made = await device.withFaults(fault, 41, work);
  const done = made.filter((one) => one !== undefined).length;
  return { done, failed: made.length - done };
}

/** Does work, and compares what it makes with what is wanted. */
const checked =
  (work: () => Promise<readonly { readonly values: Float32Array }[]>, wanted: readonly { readonly values: Float32Array }[]) =>
  async (): Promise<object> => {
    const found = await work();
    for (const [index, { values }] of wanted.entries()) {
      assert.ok(relativeDifference(at(found, index).values, values) < rounding);
    }
    return found;
  };

for (const normaliseTokens of [false, true]) {
  counted(
    `a capture of ${normaliseTokens ? "normalised " : ""}tokens beside the dense model frees each tensor once, whichever run fails`,
    async () => {
      await withModel(async (folder, model) => {
        const { compressed, dense } = await bothStates(folder, model);
        const options = { model: folder, normaliseTokens };
        const run = (given: StageContext) => statisticsOf(compressed, options, given, [dense]);
        const wanted = await run(context);
        const work = checked(() => run(there), wanted);
        const whole = await withFaults("full", work);
        assert.ok(whole.done > whole.failed, `${whole.done} of ${whole.done + whole.failed} times`);
        const lost = await withFaults("lost", work);
        // the last one had no fault
        assert.is(lost.done, 1);
        assert.ok(lost.failed > 3);
      });
    },
  );
}

counted("a walk that waits for the next stage frees each tensor once, whichever run fails", async () => {
  await withModel(async (folder, model) => {
    const { start } = await bothStates(folder, model);
    // known by their addresses, as those of a run are
    const [states, others] = ["a", "b"].map((letter) => ({ ...start, address: letter.repeat(64) })) as [
      ArtifactStream,
      ArtifactStream,
    ];
    const layers = [await changedLayer(model)];
    const walk = async () => {
      const pool = createObjectPool();
      const given = { ...there, pool };
      try {
        for (const { name } of at(model.blocks, 0).sites) {
          await statisticsOf(states, { model: folder, site: [name] }, given, [others]);
        }
        const { states: after } = await propagate.run({ source: [states], layers }, { model: folder }, given);
        assert.ok(after);
        return await collectStates(after);
      } finally {
        await pool.close();
      }
    };
    const wanted = await walk();
    assert.is(device.left, 0);
    const work = checked(walk, wanted);
    const whole = await withFaults("full", work);
    assert.ok(whole.done > whole.failed, `${whole.done} of ${whole.done + whole.failed} times`);
    assert.is((await withFaults("lost", work)).done, 1);
  });
});

test.run();
