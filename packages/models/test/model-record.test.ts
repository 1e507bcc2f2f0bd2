import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readModelRecord, recordFile } from "../src/folder/model-record.ts";

let folder = "";

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-record-"));
});
test.after(() => rm(folder, { recursive: true, force: true }));

const layers = { address: "a", solver: "gptq", options: { bits: 3 }, order: "natural", weights: { en: 0.75, sw: 0.25 } };

const write = (content: unknown): Promise<void> => writeFile(join(folder, recordFile), JSON.stringify(content));

test("a folder without a record was made by another program", async () => {
  assert.is(await readModelRecord(folder), undefined);
});

test("a record says how each artifact of layers was made; the dense format goes unsaid", async () => {
  await write({ version: 1, model: "m", layers: [layers], tensors: {} });
  assert.equal(await readModelRecord(folder), { model: "m", format: "dense", layers: [layers] });
  await write({ version: 1, model: "m", format: "gptq", sizes: {}, layers: [layers], tensors: {} });
  assert.is((await readModelRecord(folder))?.format, "gptq");
  await write({ version: 1, model: "m", layers: [layers], files: ["mbs.json", "onnx/model.onnx"] });
  assert.equal((await readModelRecord(folder))?.files, ["mbs.json", "onnx/model.onnx"]);
});

test("the record beside a GGUF file is that of the file where it names it", async () => {
  const record = { version: 1, model: "m", format: "gguf", layers: [layers], files: ["mbs.json", "model.gguf"] };
  await write(record);
  for (const name of ["model.gguf", "other.gguf"]) await writeFile(join(folder, name), "");
  assert.is((await readModelRecord(join(folder, "model.gguf")))?.format, "gguf");
  assert.is(await readModelRecord(join(folder, "other.gguf")), undefined);
  await write({ ...record, files: undefined });
  assert.is(await readModelRecord(join(folder, "model.gguf")), undefined);
});

test("what is malformed is refused", async () => {
  const whole = { version: 1, model: "m", layers: [layers] };
  const { weights: _, ...weightless } = layers;
  for (const broken of [
    { ...whole, version: 2 },
    { ...whole, model: 1 },
    { ...whole, layers: {} },
    { ...whole, layers: [weightless] },
    { ...whole, files: "mbs.json" },
    { ...whole, files: [1] },
    { ...whole, layers: [{ ...layers, weights: { en: "much" } }] },
  ]) {
    await write(broken);
    const error = await readModelRecord(folder).catch((thrown: unknown) => thrown);
    assert.instance(error, BadDataError, JSON.stringify(broken));
    assert.match((error as Error).message, /mbs\.json .*assemble it again/);
  }
});

test.run();
