import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { done, faultSuite, refused } from "../fixtures/fault-suite.ts";

const test = faultSuite("GGUF files");

const llama = fileURLToPath(new URL("../../../models/test/fixtures/gguf/models/llama.gguf", import.meta.url));
const imatrix = fileURLToPath(new URL("../../../gguf/test/fixtures/imatrix.gguf", import.meta.url));

const changed = (file: Buffer, change: (copy: Buffer) => void): Buffer => {
  const copy = Buffer.from(file);
  change(copy);
  return copy;
};

/** Each broken file, made from a whole one, and what the message has to say. */
const faults: Readonly<Record<string, readonly [make: (file: Buffer) => Uint8Array, message: RegExp]>> = {
  "an empty file": [() => new Uint8Array(0), /cut short: .* needs 24 bytes, the file has 0; copy it again/],
  "cut within the header": [(file) => file.subarray(0, 500), /cut short: .* the file has 500; copy it again/],
  "cut within a tensor": [(file) => file.subarray(0, -64), /cut short: tensor .* ends at \d+, the file has \d+ bytes/],
  "another magic": [(file) => changed(file, (copy) => copy.write("GGML")), /does not begin with "GGUF"/],
  "version 1": [(file) => changed(file, (copy) => copy.writeUInt32LE(1, 4)), /has version 1 at offset 4, supported: 2, 3/],
  "tensors without end": [
    (file) => changed(file, (copy) => copy.writeBigUInt64LE(2n ** 64n - 1n, 8)),
    /the number of tensors at offset 8 claims 18446744073709551615/,
  ],
  "bytes after the end": [(file) => Buffer.concat([file, Buffer.alloc(100)]), /has \d+ bytes after its last tensor/],
};

for (const [name, [make, message]] of Object.entries(faults)) {
  test(`${name}: 65`, async ({ folder }) => {
    const path = join(folder, "model.gguf");
    await writeFile(path, make(await readFile(llama)));
    await refused(["inspect", path], 65, message);
    await refused(["generate", "--model", path, "a"], 65, message);
  });
}

test("a file of statistics is no model, and is shown all the same", async () => {
  await refused(["generate", "--model", imatrix, "a"], 65, /holds no model but "imatrix"/);
  const { stdout } = await done(["inspect", imatrix, "--tensors", "--json"]);
  const shown = JSON.parse(stdout) as { kind: string; model: object; metadata: Record<string, unknown> };
  assert.equal([shown.kind, shown.model], ["gguf", { problem: 'it holds no model but "imatrix"; give the model\'s own file' }]);
  assert.match((await done(["inspect", imatrix])).stdout, /\nmodel +none that is opened: it holds no model but "imatrix"/);
  assert.is(shown.metadata["general.type"], "imatrix");
});

test("inspect shows first what the model is and what can be made of it; metadata and tensors where they are asked for", async () => {
  const { stdout: summary } = await done(["inspect", llama]);
  assert.match(
    summary.replaceAll(/\n +/g, " "),
    /^model +\S+llama\.gguf: a language model of type llama\nsize .*\nshrink .*--bits 2 makes /,
  );
  assert.match(summary.replaceAll(/\n +/g, " "), /\nfile +GGUF \(version 3\), architecture llama: \d+ tensors in 1\d\.\d kB, /);
  assert.match(summary, /\nmbs inspect \S+llama\.gguf --tensors lists its metadata and \d+ tensors too\n$/);
  assert.match(summary.replaceAll(/\n +/g, " "), /\nshrink +--size [\d.]+kB at the least, as large/, "no type has rows of 16");
  assert.not.match(summary, /tokenizer\.ggml|blk\./);
  const { stdout: text } = await done(["inspect", llama, "--tensors", "--rows", "3"]);
  assert.ok(text.startsWith(summary.slice(0, summary.lastIndexOf("mbs inspect"))));
  assert.match(text, /tokenizer\.ggml\.tokens: 32 values: !, ", #/);
  assert.match(text, /F16 +\d+ +\d+ +\d+ +16\n/);
  assert.match(text, /\n\S+\.weight +F(16|32) +\d+.*\d+\n/);
  assert.match(text, /and \d+ more \(--rows 0 shows all\)/);
});

test("inspect says how a file was made where the mbs.json beside it names the file", async ({ folder }) => {
  const path = join(folder, "model.gguf");
  await writeFile(path, await readFile(llama));
  const layers = [{ address: "a", solver: "gptq", options: { typeMix: "Q4_K_M" }, order: "natural", weights: { en: 1 } }];
  const record = { version: 1, model: "m", format: "gguf", layers, files: ["mbs.json", "model.gguf"] };
  await writeFile(join(folder, "mbs.json"), JSON.stringify(record));
  const { stdout: text } = await done(["inspect", path]);
  assert.match(text, /\nmade +of the model m by gptq \{"typeMix":"Q4_K_M"\} \(mbs\.json\)\n/);
  const { stdout } = await done(["inspect", path, "--json"]);
  assert.equal((JSON.parse(stdout) as { made: unknown }).made, { model: "m", format: "gguf", layers, files: record.files });
  assert.is((await done(["inspect", folder, "--json"])).stdout, stdout);

  await writeFile(join(folder, "mbs.json"), JSON.stringify({ ...record, weightFiles: { "model.gguf": 5 } }));
  const other = await done(["inspect", path, "--json"]);
  assert.match(other.stderr, /how \S+model\.gguf was made is not known: \S+mbs\.json is of another model\.gguf, of 5 bytes/);
  assert.not("made" in (JSON.parse(other.stdout) as object));
  await refused(["card", path], 65, /mbs\.json is of another model\.gguf/);
  await refused(["card", folder], 65, /mbs\.json is of another model\.gguf/);
});

test("a folder that is not of a GGUF file, and a file that assemble has not made, are refused with the remedy", async ({
  folder: root,
}) => {
  const folder = join(root, "other");
  await mkdir(folder);
  await refused(
    ["inspect", folder],
    2,
    /is a folder without a model, and inspect reads an artifact, a model or a GGUF file; name one in it$/m,
  );
  await writeFile(join(folder, "mbs.json"), "{}");
  await refused(["inspect", folder], 2, /how this model was made stands in \S+mbs\.json, and mbs card \S+ describes it$/m);
  await writeFile(join(folder, "layers.arrow"), "");
  await refused(["inspect", folder], 2, /name one in it, such as \S+layers\.arrow$/m);
  await refused(["card", llama], 65, /no mbs\.json beside \S+llama\.gguf names it; name a model that mbs assemble has made/);
  await refused(["card", join(folder, "none")], 65, /none has no mbs\.json; name a folder that mbs assemble has made/);
});

test.run();
