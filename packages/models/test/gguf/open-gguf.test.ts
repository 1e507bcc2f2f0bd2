import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import { openModel, runSteps } from "../../src/index.ts";

interface Golden {
  readonly architecture: string;
  readonly source?: readonly number[];
  readonly tokens: readonly number[];
  readonly rows: readonly number[];
  readonly logits: readonly (readonly number[])[];
}

const fixtures = fileURLToPath(new URL("../fixtures/gguf/models/", import.meta.url));
const golden = JSON.parse(await readFile(`${fixtures}golden.json`, "utf8")) as Record<string, Golden>;

/** How far single precision may differ from transformers, as in forward.test.ts. */
const rounding = 1e-4;

async function distance(path: string, { source, tokens, rows, logits }: Golden): Promise<number> {
  const model = await openModel(path);
  const forward = await model.forward({ threads: 1 });
  const inputs = new Map([
    ...(source === undefined ? [] : [["encoder", Int32Array.from(source)] as const]),
    ["hidden", Int32Array.from(tokens)] as const,
  ]);
  const found = await forward.logits(await runSteps(model, forward, inputs));
  await forward.close();
  await model.close();
  const distances = rows.flatMap((row, index) =>
    at(logits, index).map((expected, column) => Math.abs(expected - at(found.values, row * found.columns + column))),
  );
  return Math.max(...distances);
}

for (const [name, expected] of Object.entries(golden)) {
  test(`logits of ${name}.gguf are those of transformers`, async () => {
    const path = `${fixtures}${name}.gguf`;
    const model = await openModel(path);
    await model.close();
    assert.is(model.architecture, expected.architecture);
    assert.equal(model.notes, []);
    assert.equal(model.weightFiles, [path]);
    const found = await distance(path, expected);
    assert.ok(found < rounding, `logits differ by ${found}`);
  });
}

test.run();
