import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModel } from "@mbs/models";
import { putValue, writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { measureOutputChange } from "../src/allocation/output-change.ts";
import { recordingContext, shortSegments } from "./tiny-site.ts";

const hiddenSize = 32;

/** Relative change of the output where one row of the last layer is doubled. */
async function changeByRow(folder: string, row: number): Promise<number> {
  const model = await openModel(folder);
  try {
    const tensor = model.blocks.at(-1)?.sites.at(-1)?.weights[0]?.tensor ?? "";
    const { changes } = await measureOutputChange(
      model,
      shortSegments(model.tokenizerAddress),
      new Set([tensor]),
      {
        perturb: async ({ columns, values }) =>
          values.map((value, index) => (Math.floor(index / columns) === row ? 2 * value : value)),
      },
      recordingContext(),
    );
    return changes.get(tensor)?.get("en") ?? NaN;
  } finally {
    await model.close();
  }
}

test("the output is compared behind the last norm: channels that it closes do not count", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mbs-output-"));
  try {
    await writeTinyModel(folder, { hiddenSize });
    const [open, closed] = [await changeByRow(folder, 0), await changeByRow(folder, 5)];
    assert.ok(closed > open / 10 && open > closed / 10, `${open} and ${closed} before`);
    for (let channel = 0; channel < hiddenSize; channel += 1) {
      putValue(folder, "ln_f.weight", channel, channel === 0 ? 1 : 0);
      putValue(folder, "ln_f.bias", channel, 0);
    }
    const [own, other] = [await changeByRow(folder, 0), await changeByRow(folder, 5)];
    assert.ok(own > 20 * other, `${own} by the channel that is read, ${other} by another`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
