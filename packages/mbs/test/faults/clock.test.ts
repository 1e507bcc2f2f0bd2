import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as assert from "uvu/assert";
import { done, faultSuite } from "../fixtures/fault-suite.ts";

const test = faultSuite("fault 43: the clock");

/** Every look at the clock finds it a day earlier than the one before. */
const backwards = `
const RealDate = Date;
let now = RealDate.now() + 365 * 86_400_000;
const later = () => (now -= 86_400_000);
globalThis.Date = class extends RealDate {
  constructor(...parts) {
    super(...(parts.length === 0 ? [later()] : parts));
  }
  static now() {
    return later();
  }
};
`;

interface Line {
  readonly id: string;
  readonly address: string;
  readonly seconds: number;
}

const addresses = (lines: readonly Line[]): unknown => lines.map(({ id, address }) => [id, address]);

test("43: a clock that runs backwards by days changes neither results nor durations", async ({ model, corpus, path }) => {
  await writeFile(path("backwards.mjs"), backwards);
  const run = async (name: string, env: Record<string, string>): Promise<readonly Line[]> => {
    const lines = [
      `model: ${model}`,
      `corpus: ${corpus}`,
      `output: ${path(name)}`,
      "sample: { mix: equal, segments: 4, length: 32 }",
      "compress: { solver: sparsegpt, sparsity: 0.5 }",
      `evaluate: { corpus: ${corpus}, length: 32, windows: 2 }`,
    ];
    await writeFile(path(`${name}.yaml`), lines.join("\n"));
    const { stdout } = await done(["run", path(`${name}.yaml`), "--json"], { env });
    return stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
  };
  const straight = await run("straight", {});
  const mad = await run("mad", { NODE_OPTIONS: `--import ${pathToFileURL(path("backwards.mjs")).href}` });
  assert.equal(addresses(mad), addresses(straight));
  // its clock moves by a day, which is 86,400 seconds
  for (const { id, seconds } of mad) assert.ok(seconds >= 0 && seconds < 3600, `${id} took ${seconds} s`);
  for (const name of ["model/model.safetensors", "scores.arrow"]) {
    assert.equal(await readFile(join(path("mad"), name)), await readFile(join(path("straight"), name)), name);
  }
});

test.run();
