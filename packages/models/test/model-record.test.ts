import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
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

test("a record beside a GGUF file of another size, or that cannot be read, is refused, or as good as none where it is warned of", async () => {
  const path = join(folder, "model.gguf");
  await writeFile(path, "GGUF");
  const record = { version: 1, model: "m", format: "gguf", layers: [layers], files: ["mbs.json", "model.gguf"] };
  const warned = async (): Promise<string> => {
    const lines: string[] = [];
    assert.is(await readModelRecord(path, (line) => lines.push(line)), undefined);
    assert.is(lines.length, 1);
    return lines.join("\n");
  };
  await write({ ...record, weightFiles: { "model.gguf": 4 } });
  assert.equal((await readModelRecord(path, assert.unreachable))?.weightFiles, { "model.gguf": 4 });
  await write({ ...record, weightFiles: { "model.gguf": 5 } });
  const other =
    /mbs\.json is of another model\.gguf, of 5 bytes where this one has 4; copy the mbs\.json that belongs to it, or remove/;
  assert.match(await warned(), other);
  // the card of the folder would be that of another model, too
  for (const named of [path, folder]) {
    const error = await readModelRecord(named).catch((thrown: unknown) => thrown);
    assert.instance(error, BadDataError);
    assert.match((error as Error).message, other);
  }
  await write({ ...record, version: 2 });
  const newer =
    /^how .*model\.gguf was made is not known: .*mbs\.json has version 2, supported: 1; read it with the mbs that wrote it/;
  assert.match(await warned(), newer);
  await writeFile(join(folder, recordFile), '{"version": 1, "mod');
  assert.match(await warned(), /mbs\.json is not JSON/);
  await rm(join(folder, recordFile));
  await mkdir(join(folder, recordFile));
  assert.match(await warned(), /mbs\.json is not a file/);
  for (const name of [recordFile, "model.gguf"]) await rm(join(folder, name), { recursive: true });
});

test("what is malformed is refused", async () => {
  const whole = { version: 1, model: "m", layers: [layers] };
  const { weights: _, ...weightless } = layers;
  for (const broken of [
    { ...whole, version: 2 },
    { ...whole, version: "1" },
    { ...whole, weightFiles: { "model.gguf": -1 } },
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
    assert.match((error as Error).message, /mbs\.json .*assemble (it|the model) again/);
  }
});

test.run();
