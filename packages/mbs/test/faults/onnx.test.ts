import { cp, link, mkdir, open, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { changedGraph, readGraphFile } from "@mbs/onnx";
import type { GraphFile, GraphNode, GraphTensor } from "@mbs/onnx";
import * as assert from "uvu/assert";
import { encodeMessage } from "../../../onnx/src/onnx-messages.ts";
import type { NodeMessage, OpsetMessage, TensorMessage } from "../../../onnx/src/onnx-messages.ts";
import { done, faultSuite, mbs, refused, sampling } from "../fixtures/fault-suite.ts";

const test = faultSuite("faults 8 to 12: ONNX");

const linear = "transformer.h.1.mlp.dense_h_to_4h.weight";
const data = "model.onnx_data";

function parse(bytes: Buffer): GraphFile {
  return readGraphFile({
    path: "model.onnx",
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  });
}

const nothing = {
  nodes: new Map<GraphNode, Uint8Array[]>(),
  dropped: new Set<string>(),
  moved: new Set<string>(),
  tensors: [],
  domains: new Map<string, number>(),
};

/** The model with another message for the linear tensor. */
function withTensor(bytes: Buffer, change: (tensor: GraphTensor) => Partial<TensorMessage>): Buffer {
  const graph = parse(bytes);
  const tensor = graph.tensors.get(linear);
  if (tensor === undefined) throw new Error(`${linear} is not in the model`);
  const { name, dims, type: dataType } = tensor;
  const message = encodeMessage("TensorProto", { name, dims, dataType, dataLocation: 1, ...change(tensor) });
  return Buffer.concat([...changedGraph(graph, { ...nothing, moved: new Set([linear]), tensors: [message] })]);
}

const externalData = (tensor: GraphTensor, changes: Readonly<Record<string, string>>): Partial<TensorMessage> => ({
  externalData: Object.entries({ ...Object.fromEntries(tensor.external ?? []), ...changes }).map(([key, value]) => ({
    key,
    value,
  })),
});

const withPlace = (changes: Readonly<Record<string, string>>) => (bytes: Buffer) =>
  withTensor(bytes, (tensor) => externalData(tensor, changes));

/** The node that activates the second MLP. */
function activation({ nodes }: GraphFile): GraphNode {
  const node = nodes.findLast(({ operator }) => operator === "Gelu");
  if (node === undefined) throw new Error("the model has no Gelu");
  return node;
}

/** The model with another message for that node. */
function withNode(bytes: Buffer, change: Partial<NodeMessage>): Buffer {
  const graph = parse(bytes);
  const node = activation(graph);
  const message = encodeMessage("NodeProto", { ...node.message, name: "the-node", ...change });
  return Buffer.concat([...changedGraph(graph, { ...nothing, nodes: new Map([[node, [message]]]) })]);
}

/** A later entry for the same domain is the one that counts. */
const withOpset = (bytes: Buffer, opset: OpsetMessage): Buffer => {
  const message = encodeMessage("OperatorSetIdProto", opset);
  return Buffer.concat([bytes, Buffer.from([8 * 8 + 2, message.length]), message]);
};

type Fault = readonly [make: (bytes: Buffer) => Uint8Array, message: RegExp];

/** What opening a model refuses. */
const faults: Readonly<Record<string, Fault>> = {
  "9: a path above the folder": [
    withPlace({ location: "../../etc/passwd" }),
    /dense_h_to_4h\.weight has its external data at "\.\.\/\.\.\/etc\/passwd", which is no path/,
  ],
  "9: a path that goes up on its way": [
    withPlace({ location: "a/../../x" }),
    /"a\/\.\.\/\.\.\/x", which is no path to a file below/,
  ],
  "9: a path with the other separator": [withPlace({ location: "..\\..\\x" }), /which is no path to a file below/],
  "10: an absolute path": [withPlace({ location: "/etc/passwd" }), /at the absolute path "\/etc\/passwd"/],
  "10: an absolute path of another system": [withPlace({ location: "C:\\data" }), /at the absolute path/],
  "10: a link out of the folder": [withPlace({ location: "linked" }), /"linked", which is outside the model's folder/],
  "10: a folder that is a link": [withPlace({ location: "linked-folder/secret" }), /which is outside the model's folder/],
  "10: a hard link": [withPlace({ location: "hard" }), /"hard", which has 2 hard links/],
  "10: a folder": [withPlace({ location: "folder" }), /"folder", which is no file/],
  "10: nothing there": [withPlace({ location: "absent" }), /"absent", which is missing/],
  "11: a negative offset": [withPlace({ offset: "-4096" }), /offset "-4096", no number of bytes/],
  "11: a huge offset": [withPlace({ offset: "9007199254740000" }), /from byte 9007199254740000, .* has \d+/],
  "11: an offset beyond numbers": [withPlace({ offset: "99999999999999999999" }), /offset "9{20}", no number of bytes/],
  "11: a length that does not fit": [withPlace({ length: "64" }), /has 64 bytes where its shape \[128, 32\] needs 8192/],
  "11: an unknown key": [withPlace({ basepath: "/etc" }), /the unknown key "basepath"/],
  "11: a name that no system takes": [
    withPlace({ location: "x".repeat(5000) }),
    /its external data in "x{200}", which is missing/,
  ],
  "11: a shape beyond numbers": [
    (bytes) => withTensor(bytes, (tensor) => ({ ...externalData(tensor, {}), dims: [2 ** 40, 2 ** 40] })),
    /has the invalid shape \[1099511627776, 1099511627776\]/,
  ],
  "11: a negative side": [
    (bytes) => withTensor(bytes, (tensor) => ({ ...externalData(tensor, {}), dims: [-128, -32] })),
    /has the invalid shape \[-128, -32\]/,
  ],
  "12: empty": [() => new Uint8Array(0), /has 0 graphs; it is cut short or no ONNX model/],
  "12: cut within the graph": [
    (bytes) => bytes.subarray(0, bytes.length >> 1),
    /at byte \d+; the file is cut short or no ONNX model/,
  ],
  "12: cut by a byte": [(bytes) => bytes.subarray(0, -1), /cut short or no ONNX model/],
  "12: no protobuf": [() => Buffer.from("version https://git-lfs.github.com/spec/v1\n"), /cut short or no ONNX model/],
  "12: a node before what it reads": [
    (bytes) => withNode(bytes, { input: ["logits"] }),
    /node the-node \(Gelu\) reads logits, which nothing before it makes/,
  ],
};

/** What only running it shows. */
const running: Readonly<Record<string, Fault>> = {
  "12: an unknown operator": [(bytes) => withNode(bytes, { opType: "Geluu" }), /node the-node.*Geluu/],
  "12: an operator of an unknown domain": [(bytes) => withNode(bytes, { domain: "org.example" }), /the-node|org\.example/],
  "12: a node that fails on its way": [
    (bytes) => {
      const [states = ""] = activation(parse(bytes)).inputs;
      return withNode(bytes, { opType: "MatMul", input: [states, states], attribute: [] });
    },
    /model\.onnx: ONNX Runtime could not run node the-node: .*; export the model again$/m,
  ],
  "12: an opset of the future": [(bytes) => withOpset(bytes, { domain: "", version: 9999 }), /opset/i],
};

test.before(async ({ path, model, corpus }) => {
  await done([...sampling(model, corpus), "--output", path("segments.arrow")]);
  // layers that change nothing much, so that there is a whole ONNX model
  await done(["capture", "--model", model, "--source", path("segments.arrow"), "--output", path("statistics.arrow")]);
  await done(["factor", "--statistics", path("statistics.arrow"), "--output", path("factors.arrow")]);
  await done([
    "compress",
    "--model",
    model,
    "--solver",
    "magnitude",
    "--sparsity",
    "0.1",
    "--factors",
    path("factors.arrow"),
    "--output",
    path("layers.arrow"),
  ]);
  await done(["assemble", "--model", model, "--format", "onnx", "--layers", path("layers.arrow"), "--output", path("whole")]);
});

async function broken(name: string, path: (name: string) => string): Promise<string> {
  const folder = path(name);
  await cp(path("whole"), folder, { recursive: true });
  const onnx = join(folder, "onnx");
  await mkdir(path(`${name}-outside`));
  await writeFile(path(`${name}-outside/secret`), "secret");
  await symlink(path(`${name}-outside/secret`), join(onnx, "linked"));
  await symlink(path(`${name}-outside`), join(onnx, "linked-folder"));
  await cp(join(onnx, data), join(onnx, "hard"));
  await link(join(onnx, "hard"), path(`${name}-outside/hard`));
  await mkdir(join(onnx, "folder"));
  return folder;
}

test("every broken file is refused, and nothing outside the folder is read", async ({ corpus, path }) => {
  const whole = await readFile(path("whole/onnx/model.onnx"));
  const lanes = [0, 1].map(async (lane) => {
    const folder = await broken(`broken-${lane}`, path);
    const mine = Object.entries({ ...faults, ...running }).filter((_, index) => index % 2 === lane);
    for (const [what, [make, message]] of mine) {
      await writeFile(join(folder, "onnx/model.onnx"), make(whole));
      const output = path(`no-${lane}.arrow`);
      const evaluate = ["evaluate", "--model", folder, "--corpus", corpus, "--length", "32", "--windows", "1"];
      await refused(what in faults ? ["capture", "--model", folder, "--source", path("segments.arrow")] : evaluate, 65, message, {
        output,
      }).catch((cause: Error) => {
        throw new Error(`row ${what}: ${cause.message}`, { cause });
      });
    }
  });
  await Promise.all(lanes);
});

test("12: a file beyond 2 GiB is refused before it is read", async ({ path }) => {
  const folder = path("huge");
  await cp(path("whole"), folder, { recursive: true });
  const file = await open(join(folder, "onnx/model.onnx"), "r+");
  await file.truncate(2 ** 31);
  await file.close();
  await refused(
    ["capture", "--model", folder, "--source", path("segments.arrow")],
    65,
    /has 2147483648 bytes, and an ONNX file ends at 2 GiB; export it with external data/,
    {
      output: path("no.arrow"),
    },
  );
  await rm(folder, { recursive: true });
});

test("8: NaN is refused with tensor and index; --allow-nonfinite leaves that tensor as it is", async ({ path }) => {
  const folder = path("sick");
  await cp(path("whole"), folder, { recursive: true });
  const file = join(folder, "onnx", data);
  const bytes = await readFile(file);
  const offset = Number(
    parse(await readFile(join(folder, "onnx/model.onnx")))
      .tensors.get(linear)
      ?.external?.get("offset"),
  );
  bytes.writeUInt16LE(0x7e00, offset + 2 * 5);
  await writeFile(file, bytes);
  const capture = ["capture", "--model", folder, "--source", path("segments.arrow")];
  await refused(capture, 65, /dense_h_to_4h\.weight has NaN at index 5; .*--allow-nonfinite/, { output: path("no.arrow") });
  await done([...capture, "--allow-nonfinite", "--output", path("sick-statistics.arrow")]);
  await done(["factor", "--statistics", path("sick-statistics.arrow"), "--output", path("sick-factors.arrow")]);
  const compress = [
    "compress",
    "--model",
    folder,
    "--allow-nonfinite",
    "--solver",
    "rtn",
    "--bits",
    "4",
    "--factors",
    path("sick-factors.arrow"),
  ];
  const { stderr } = await mbs([...compress, "--output", path("sick-layers.arrow")]);
  assert.match(stderr, /dense_h_to_4h\.weight has NaN or Inf and stays uncompressed/);
  const assemble = ["assemble", "--model", folder, "--layers", path("sick-layers.arrow")];
  for (const format of ["dense", "onnx"]) {
    const output = path(`no-${format}`);
    await refused([...assemble, "--format", format], 65, /dense_h_to_4h\.weight has NaN at index 5; .*--allow-nonfinite/, {
      output,
    });
    const written = await done([...assemble, "--format", format, "--allow-nonfinite", "--output", path(`sick-${format}`)]);
    assert.match(written.stderr, /1 tensor has NaN or Inf, written as it is: [^\n]*dense_h_to_4h\.weight/);
  }
});

test("10: a snapshot of a Hub cache, whose files link into its blobs, is a model", async ({ path, corpus }) => {
  const [snapshot, blobs] = [path("cache/models--org--name/snapshots/abc"), path("cache/models--org--name/blobs")];
  await mkdir(join(snapshot, ".."), { recursive: true });
  await mkdir(blobs);
  await cp(path("whole"), snapshot, { recursive: true });
  for (const [index, name] of ["onnx/model.onnx", `onnx/${data}`, "config.json", "tokenizer.json"].entries()) {
    const blob = join(blobs, String(index));
    await rename(join(snapshot, name), blob);
    await symlink(blob, join(snapshot, name));
  }
  await done([
    "evaluate",
    "--model",
    snapshot,
    "--corpus",
    corpus,
    "--length",
    "32",
    "--windows",
    "1",
    "--output",
    path("hub.arrow"),
  ]);
});

test("unknown inputs, and graphs that are no decoder, are refused by name", async ({ path }) => {
  const folder = path("encoder");
  await cp(path("whole"), folder, { recursive: true });
  const file = join(folder, "onnx/model.onnx");
  const bytes = await readFile(file);
  await writeFile(file, Buffer.from(bytes.toString("latin1").replaceAll("attention_mask", "attention_mast"), "latin1"));
  const capture = ["capture", "--model", folder, "--source", path("segments.arrow")];
  await refused(capture, 65, /reads attention_mast, which is not supported; supported: input_ids/, { output: path("no.arrow") });
  await writeFile(file, Buffer.from(bytes.toString("latin1").replaceAll("input_ids", "input_idx"), "latin1"));
  await refused(capture, 65, /reads input_idx, .*a decoder that reads input_ids and makes logits is wanted/, {
    output: path("no.arrow"),
  });
});

test("formats of safetensors refuse an ONNX model, and a quantised one is not compressed again", async ({ path }) => {
  const model = path("whole");
  await done(["capture", "--model", model, "--source", path("segments.arrow"), "--output", path("onnx-statistics.arrow")]);
  await done(["factor", "--statistics", path("onnx-statistics.arrow"), "--output", path("onnx-factors.arrow")]);
  const compress = ["compress", "--model", model, "--solver", "rtn", "--bits", "4", "--group-size", "16"];
  await done([...compress, "--factors", path("onnx-factors.arrow"), "--output", path("onnx-layers.arrow")]);
  const assemble = ["assemble", "--model", model, "--layers", path("onnx-layers.arrow")];
  for (const format of ["gptq", "gptq-v2", "compressed-tensors"]) {
    await refused(
      [...assemble, "--format", format],
      65,
      /is an ONNX model, .*does not hold; assemble with --format dense or onnx/,
      {
        output: path("no"),
      },
    );
  }
  await refused([...assemble, "--format", "onnx", "--embeddings", "int8"], 2, /--embeddings is for models of safetensors/, {
    output: path("no"),
  });
  await done([...assemble, "--format", "onnx", "--output", path("quantised")]);
  await refused(
    ["capture", "--model", path("quantised"), "--source", path("segments.arrow")],
    65,
    /quantised already.*give the model it was made from/,
    {
      output: path("no.arrow"),
    },
  );
});

test.run();
