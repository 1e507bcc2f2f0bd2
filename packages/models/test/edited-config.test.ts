import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModel } from "../src/index.ts";
import { writeTinyModel } from "../src/testing.ts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { editedConfig } from "../src/writing/edited-config.ts";

const folder = await mkdtemp(join(tmpdir(), "edited-config-"));
test.after(() => rm(folder, { recursive: true }));
await writeTinyModel(folder);
const path = join(folder, "config.json");
const source = (await readFile(path, "utf8"))
  .trimEnd()
  .replace(/\n?}$/, ',\n  "factor": 1.0, "eps": 1e-05,\n  "old": {"a": 1}\n}\n');
await writeFile(path, source);

async function edited(changes: Readonly<Record<string, unknown>>): Promise<string> {
  const model = await openModel(folder);
  try {
    const { content } = await editedConfig(model, changes);
    const pieces: Uint8Array[] = [];
    for await (const piece of content()) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  } finally {
    await model.close();
  }
}

test("a key is added and the rest stays byte for byte: 1.0 is no 1 to a strict reader", async () => {
  const text = await edited({ quantization_config: { bits: 3 } });
  assert.ok(text.startsWith(source.slice(0, source.indexOf('"old"'))), text);
  assert.equal(JSON.parse(text), { ...(JSON.parse(source) as object), quantization_config: { bits: 3 } });
});

test("a key is replaced, and taken out; one that is not there is no error", async () => {
  const { old: _old, ...rest } = JSON.parse(source) as Record<string, unknown>;
  const text = await edited({ old: undefined, missing: undefined, factor: 2 });
  assert.equal(JSON.parse(text), { ...rest, factor: 2 });
  assert.ok(text.includes("1e-05"));
});

test.run();
