import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collect, inputSite, readStatistics } from "@mbs/artifacts";
import { at, BadDataError, UsageError } from "@mbs/contracts";
import { writeGguf } from "@mbs/gguf";
import type { GgufField } from "@mbs/gguf";
import { openModel } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { imatrix, readImatrix } from "../src/index.ts";
import { ggufParts } from "./gguf-parts.ts";
import { diagonals, failure, filesOf, makeTinyModel, runStage, statisticsOf } from "./tiny-model.ts";

const { root, folder, model, remove } = await makeTinyModel();
test.after(remove);

/** Writes what the stage `imatrix` makes; file name → path. */
async function write(options: Readonly<Record<string, unknown>>, label: string): Promise<(name: string) => string> {
  const inputs = { statistics: [statisticsOf(diagonals(model), model.address)] };
  const { output } = await runStage(imatrix, inputs, { model: folder, ...options });
  const path = (name: string): string => join(root, `${label}-${name}`);
  for (const [name, bytes] of await filesOf(output)) await writeFile(path(name), bytes);
  return path;
}

const read = async (paths: readonly string[], language?: readonly string[]) => {
  const { output } = await runStage(readImatrix, {}, { model: folder, imatrix: paths, ...(language && { language }) });
  return { stream: output, statistics: () => collect(readStatistics(output)) };
};

const each = await write({ each: true }, "each");
const [en, hi] = [each("imatrix-en.gguf"), each("imatrix-hi.gguf")];

/** Each tensor's shape and values. */
type Tensors = ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;

const parts = async (path: string) => ggufParts(await readFile(path));

/** The English file with a change. */
async function changed(
  name: string,
  change: (tensors: Map<string, { shape: readonly number[]; values: Float32Array }>, metadata: Map<string, GgufField>) => void,
): Promise<string> {
  const tensors = new Map((await parts(en)).tensors);
  const metadata = new Map<string, GgufField>([
    ["general.type", { type: "string", value: "imatrix" }],
    ["imatrix.datasets", { type: "array", of: "string", value: ["en=1"] }],
    ["imatrix.chunk_count", { type: "u32", value: 6 }],
    ["imatrix.chunk_size", { type: "u32", value: 512 }],
  ]);
  change(tensors, metadata);
  const infos = [...tensors].map(([tensor, { shape, values }]) => ({ name: tensor, type: 0, shape, bytes: values.byteLength }));
  const pieces: Uint8Array[] = [];
  for await (const piece of writeGguf(metadata, infos, (tensor) => {
    const { buffer } = tensors.get(tensor.name)?.values ?? new Float32Array();
    return [new Uint8Array(buffer)];
  })) {
    pieces.push(piece);
  }
  const path = join(root, name);
  await writeFile(path, Buffer.concat(pieces));
  return path;
}

test("matrices of languages are the diagonals that they were made of", async () => {
  const found = await (await read([hi, en])).statistics();
  const wanted = diagonals(model).filter(({ site }) => site !== inputSite);
  assert.is(found.length, wanted.length);
  for (const { block, site, language, values, ...facts } of wanted) {
    const own = found.find((other) => other.block === block && other.site === site && other.language === language);
    assert.equal(own && { kind: own.kind, tokens: own.tokens, width: own.width }, facts);
    // twice rounded to float32, as a sum and as a mean
    for (const [channel, value] of values.entries()) assert.ok(Math.abs(at(own?.values ?? [], channel) / value - 1) < 3e-7);
  }
});

test("mixed again they are the weighted sum, as of the statistics themselves", async () => {
  const mixed = (stream: Awaited<ReturnType<typeof read>>["stream"], mix: string): Promise<Tensors> =>
    runStage(imatrix, { statistics: [stream] }, { model: folder, mix })
      .then(({ output }) => filesOf(output))
      .then((files) => ggufParts(files.get("imatrix.gguf") ?? new Uint8Array()).tensors);
  const again = await mixed((await read([en, hi])).stream, "en=0.3,hi=0.7");
  const direct = await mixed(statisticsOf(diagonals(model), model.address), "en=0.3,hi=0.7");
  assert.equal([...again.keys()], [...direct.keys()]);
  for (const [name, { values }] of direct) {
    for (const [index, value] of values.entries()) {
      assert.ok(Math.abs(at(again.get(name)?.values ?? [], index) / value - 1) < 4e-7, name);
    }
  }
});

test("a file of llama-imatrix: sums of inputs, entries of the head, flat counts, other datasets", async () => {
  const path = await changed("llama.gguf", (tensors, metadata) => {
    metadata.set("imatrix.datasets", { type: "array", of: "string", value: ["wiki.train.raw"] });
    tensors.set("output.weight.in_sum2", { shape: [1, 32], values: new Float32Array(32) });
    tensors.set("output.weight.counts", { shape: [1, 1], values: Float32Array.of(3000) });
    const own = new Map(tensors);
    for (const [name, tensor] of own) {
      if (name.endsWith(".counts")) tensors.set(name, { ...tensor, shape: [1] });
      else tensors.set(name.replace(/2$/, ""), { ...tensor, values: tensor.values.map((value) => -value) });
    }
  });
  const error = await failure(read([path]));
  assert.instance(error, UsageError);
  assert.match(error.message, /llama\.gguf does not say its language \(wiki\.train\.raw\); name it with --language/);
  const found = await (await read([path], ["en"])).statistics();
  assert.equal(found, await (await read([en])).statistics());
});

test("files that do not fit the model or contradict themselves are refused with file and tensor", async () => {
  const up = "blk.1.ffn_up.weight";
  const cases: readonly (readonly [string, Parameters<typeof changed>[1], RegExp])[] = [
    ["type", (_, metadata) => metadata.delete("general.type"), /general\.type is absent, not "imatrix"/],
    ["model", (_, metadata) => metadata.set("general.type", { type: "string", value: "model" }), /general\.type is "model"/],
    ["missing", (tensors) => tensors.delete(`${up}.counts`), /"blk\.1\.ffn_up\.weight\.counts" is missing; make it again/],
    [
      "width",
      (tensors) => tensors.set(`${up}.in_sum2`, { shape: [1, 31], values: new Float32Array(31) }),
      /has shape \[1, 31\], in the model \[1, 32\]/,
    ],
    [
      "experts",
      (tensors) => tensors.set(`${up}.counts`, { shape: [2, 1], values: new Float32Array(2) }),
      /has shape \[2, 1\], in the model \[1, 1\]/,
    ],
    [
      "unknown",
      (tensors) => tensors.set("blk.2.ffn_up.weight.counts", { shape: [1, 1], values: Float32Array.of(1) }),
      /"blk\.2\.ffn_up\.weight\.counts" belongs to no weight of the model/,
    ],
    [
      "ending",
      (tensors) => tensors.set(`${up}.max`, { shape: [1], values: Float32Array.of(1) }),
      /"blk\.1\.ffn_up\.weight\.max" is none of an imatrix/,
    ],
    ["negative", (tensors) => tensors.get(`${up}.in_sum2`)?.values.fill(-1, 7, 8), /ffn_up\.weight\.in_sum2 has -1 at index 7/],
    ["nan", (tensors) => tensors.get(`${up}.counts`)?.values.fill(NaN), /ffn_up\.weight\.counts has NaN at index 0/],
    ["none", (tensors) => tensors.get(`${up}.counts`)?.values.fill(0), /ffn_up\.weight\.counts is 0, a mean over no tokens/],
    [
      "beyond",
      (tensors) => tensors.get(`${up}.counts`)?.values.fill(2 ** 60),
      /counts is 11529\d+, more tokens than can be counted/,
    ],
  ];
  for (const [name, change, reason] of cases) {
    const path = await changed(`${name}.gguf`, change);
    const error = await failure(read([path]).then(({ statistics }) => statistics()));
    assert.instance(error, BadDataError, name);
    assert.match(error.message, reason);
    assert.ok(error.message.startsWith(path), error.message);
  }
});

test("a file that is cut anywhere is refused", async () => {
  const bytes = await readFile(en);
  const path = join(root, "cut.gguf");
  for (const length of [0, 3, 23, 100, 400, bytes.length - 200, bytes.length - 33]) {
    await writeFile(path, bytes.subarray(0, length));
    const error = await failure(read([path]));
    assert.instance(error, BadDataError, `${length}`);
    assert.match(error.message, /cut\.gguf/);
  }
});

test("languages must be as many as files, and different", async () => {
  for (const [paths, languages, reason] of [
    [[en, hi], ["en"], /--language names 1 languages, --imatrix 2 files/],
    [[en, en], undefined, /two files have one language \(en, en\)/],
    [[each("imatrix.gguf")], undefined, /does not say its language \(by tokens: en=0\.75,hi=0\.25, en=0\.75, hi=0\.25\)/],
  ] as const) {
    const error = await failure(read(paths, languages));
    assert.instance(error, UsageError);
    assert.match(error.message, reason);
  }
});

test("channels that llama.cpp has in another order are so in the file, and read back as they were", async () => {
  const gguf = fileURLToPath(new URL("../../models/test/fixtures/gguf/models/qwen35-shared.gguf", import.meta.url));
  const shared = await openModel(gguf);
  await shared.close();
  const statistics = diagonals(shared);
  const inputs = { statistics: [statisticsOf(statistics, shared.address)] };
  const { output } = await runStage(imatrix, inputs, { model: gguf, mix: "only:en" });
  const [bytes = new Uint8Array()] = (await filesOf(output)).values();
  const own = statistics.filter(({ language, site }) => language === "en" && site !== inputSite);
  const context = own.find(({ width }) => width === 256)?.values ?? new Float32Array();
  // heads of 64 channels: 0 and 1 share one of keys, and 2 and 3
  const sums = [0, 2, 1, 3].flatMap((head) => [...context.subarray(head * 64, (head + 1) * 64)]);
  const found = ggufParts(bytes).tensors.get("blk.0.ssm_out.weight.in_sum2");
  assert.equal(
    found?.values,
    Float32Array.from(sums, (square) => square * 3000),
  );
  const path = join(root, "shared.gguf");
  await writeFile(path, bytes);
  const { output: read } = await runStage(readImatrix, {}, { model: gguf, imatrix: [path], language: ["en"] });
  assert.equal(
    (await collect(readStatistics(read))).map(({ block, site, values }) => [block, site, values]),
    own.map(({ block, site, values }) => [block, site, values]),
  );
});

test.run();
