import { collect, readStatistics } from "@mbs/artifacts";
import { at, createObjectPool, MbsError } from "@mbs/contracts";
import type { ArtifactStream, StageContext } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { canCount, CountingDevice } from "../../../tools/test/counting-device.ts";
import { capture, propagate } from "../src/index.ts";
import { bothStates, changedLayer, collectStates, context, relativeDistance, rounding, withModel } from "./stage-run.ts";

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

/** Every so many runs are tried with a fault: a capture has hundreds. */
const stride = 41;

/**
 * Runs work with a fault in some of its runs, one after the other.
 *
 * @param check looks at what it made where it went on
 * @returns how often it did, and how often it did not
 */
async function withFaults<Made>(fault: "full" | "lost", work: () => Promise<Made>, check: (made: Made) => void) {
  const times = { done: 0, failed: 0 };
  for (let at = 1; ; at += stride) {
    const before = device.runs;
    device.faultAt = (run) => (run === before + at ? fault : undefined);
    try {
      check(await work());
      times.done += 1;
    } catch (error) {
      assert.instance(error, MbsError);
      times.failed += 1;
    } finally {
      device.faultAt = () => undefined;
    }
    assert.equal(device.mistakes, []);
    assert.is(device.left, 0, `${fault} in run ${at}`);
    if (device.runs < before + at) return times;
  }
}

for (const normaliseTokens of [false, true]) {
  counted(
    `a capture of ${normaliseTokens ? "normalised " : ""}tokens beside the dense model frees each tensor once, whichever run fails`,
    async () => {
      await withModel(async (folder, model) => {
        const { compressed, dense } = await bothStates(folder, model);
        const options = { model: folder, normaliseTokens };
        const run = (given: StageContext) => statisticsOf(compressed, options, given, [dense]);
        const wanted = await run(context);
        const check = (found: typeof wanted): void => {
          for (const [index, { values }] of wanted.entries()) {
            assert.ok(relativeDistance(at(found, index).values, values) < rounding);
          }
        };
        const whole = await withFaults("full", () => run(there), check);
        assert.ok(whole.done > whole.failed, `${whole.done} of ${whole.done + whole.failed} times`);
        const lost = await withFaults("lost", () => run(there), check);
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
    const check = (found: typeof wanted): void => {
      for (const [index, { values }] of wanted.entries()) {
        assert.ok(relativeDistance(at(found, index).values, values) < rounding);
      }
    };
    const whole = await withFaults("full", walk, check);
    assert.ok(whole.done > whole.failed, `${whole.done} of ${whole.done + whole.failed} times`);
    assert.is((await withFaults("lost", walk, check)).done, 1);
  });
});

test.run();
