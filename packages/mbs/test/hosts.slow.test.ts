import { existsSync } from "node:fs";
import { copyFile, mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  collect,
  contentAddress,
  decodeStream,
  encodeScores,
  encodeStream,
  openArtifact,
  parseMetadata,
  readScores,
  unpackFiles,
} from "@mbs/artifacts";
import { optionFlag } from "@mbs/contracts";
import type { ArtifactStream, Stage } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { writeTinyModel } from "@mbs/models/testing";
import { recipeFrom, run } from "@mbs/pipeline";
import { stages } from "mbs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadStages } from "../src/stages.ts";
import { hasRedis, startRedis } from "./fixtures/redis-server.ts";
import { runMbs, startMbs } from "./fixtures/run-mbs.ts";

type Options = Readonly<Record<string, string | number | boolean | readonly string[]>>;

interface Context {
  /** Of all tests. */
  folder: string;
  server: ChildProcess;
  via: string;
  model: string;
  corpus: string;
}

const hosts = suite<Context>("hosts");
const covered = new Set<string>();

const text = (language: string): string =>
  Array.from(
    { length: 60 },
    (_, index) => `${language} ${index} ${"abcdefgh".slice(index % 8)} words of ${language}, line ${index * 7}.`,
  ).join("\n\n");

hosts.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "mbs-hosts-"));
  const models = join(context.folder, "models");
  context.model = join(models, "tiny");
  context.corpus = join(context.folder, "corpora", "texts");
  await mkdir(context.corpus, { recursive: true });
  await writeTinyModel(context.model, { seed: 1 });
  for (const language of ["en", "mr"]) await writeFile(join(context.corpus, `${language}.txt`), text(language));
  const store = join(context.folder, "store");
  const matrices = join(context.folder, "imatrix");
  await mkdir(matrices);
  const roots = ["--model-root", models, "--corpus-root", join(context.folder, "corpora"), "--imatrix-root", matrices];
  context.server = startMbs(["serve", "--listen", "127.0.0.1:0", "--store", store, ...roots]);
  context.via = await new Promise<string>((resolve, reject) => {
    context.server.stderr?.on("data", (chunk: Buffer) => {
      const found = /grpc:\/\/\S+/.exec(chunk.toString());
      if (found) resolve(found[0]);
    });
    context.server.on("close", () => reject(new Error("the server ended")));
  });
});
hosts.after(async ({ server, folder }) => {
  const closed = new Promise((resolve) => server.on("close", resolve));
  server.kill("SIGINT");
  assert.is(await closed, 130);
  await rm(folder, { recursive: true });
});

const open = async (bytes: Buffer): Promise<ArtifactStream> =>
  decodeStream(
    (async function* chunks() {
      yield bytes;
    })(),
  );

async function bytesOf(stream: ArtifactStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeStream(stream).bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function loadStage(name: string): Promise<Stage> {
  const entry = stages.get(name);
  if (!entry) throw new Error(`no stage ${name}`);
  return entry.load();
}

async function throughLibrary(
  stage: Stage,
  options: Options,
  inputs: Readonly<Record<string, readonly string[]>>,
  first?: Buffer,
): Promise<Buffer> {
  const streams: Record<string, ArtifactStream[]> = {};
  for (const name of Object.keys(stage.inputs)) streams[name] = [];
  const [main] = Object.keys(stage.inputs);
  if (first && main !== undefined) streams[main] = [await open(first)];
  for (const [name, paths] of Object.entries(inputs)) for (const path of paths) streams[name]?.push(await openArtifact(path));
  const context = testContext();
  const [output] = Object.values(await stage.run(streams, options, context));
  if (!output) throw new Error(`${stage.name} made nothing`);
  return bytesOf(output);
}

async function throughCommand(
  stage: Stage,
  options: Options,
  inputs: Readonly<Record<string, readonly string[]>>,
  first?: Buffer,
  via?: string,
): Promise<Buffer> {
  const args = [
    stage.name,
    ...Object.entries(options).flatMap(([name, value]) =>
      value === true ? [optionFlag(name)] : [optionFlag(name), String(value)],
    ),
    ...Object.entries(inputs).flatMap(([name, paths]) => paths.flatMap((path) => [optionFlag(name), path])),
    "--threads",
    "1",
    "--output",
    "-",
    ...(first ? ["-"] : []),
    ...(via === undefined ? [] : ["--via", via]),
  ];
  const { code, stdout, stderr } = await runMbs(args, first);
  assert.is(code, 0, `mbs ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Runs a stage through every host and demands one content address; returns the artifact's bytes. */
async function everywhere(
  { via }: Context,
  name: string,
  options: Options,
  first?: Buffer,
  inputs: Readonly<Record<string, readonly string[]>> = {},
): Promise<Buffer> {
  covered.add(name);
  const stage = await loadStage(name);
  const [library, pipe, grpc] = [
    await throughLibrary(stage, options, inputs, first),
    await throughCommand(stage, options, inputs, first),
    await throughCommand(stage, options, inputs, first, via),
  ];
  const [expected, ...others] = await Promise.all(
    [library, pipe, grpc].map(async (bytes) => (await contentAddress(await open(bytes))).address),
  );
  for (const [index, address] of others.entries())
    assert.is(address, expected, `${name} through ${index === 0 ? "a pipe" : "gRPC"}`);
  // One encoding too: every writer of an artifact writes the same bytes.
  assert.equal(pipe, library, `${name}: bytes of the pipe`);
  assert.equal(grpc, library, `${name}: bytes of gRPC`);
  return library;
}

/** The same for a stage without a call below: each input gets an artifact of its kind, a required resource the one of this test. */
async function everywhereByKind(context: Context, name: string, made: Readonly<Record<string, Buffer>>): Promise<void> {
  const stage = await loadStage(name);
  const artifactFor = (input: string): Buffer => {
    const found = stage.inputs[input]?.kinds.map((kind) => made[kind]).find((bytes) => bytes !== undefined);
    if (found === undefined) throw new Error(`${name}: nothing here is of a kind that its input ${input} takes; add a call`);
    return found;
  };
  const required = Object.entries(stage.inputs).filter(([, { optional }]) => optional !== true);
  const [first, ...others] = required.map(([input]) => input);
  const inputs: Record<string, readonly string[]> = {};
  for (const input of others) {
    inputs[input] = [join(context.folder, `${name}-${input}.arrow`)];
    await writeFile(String(inputs[input]), artifactFor(input));
  }
  const resources: Readonly<Record<string, string>> = { model: context.model, corpus: context.corpus };
  const options = Object.entries(stage.options).flatMap(([option, declared]): [string, string | string[]][] => {
    const path = declared.kind === "resource" ? resources[declared.resource] : undefined;
    if (declared.optional === true || path === undefined || declared.kind !== "resource") return [];
    return [[option, declared.many ? [path] : path]];
  });
  await everywhere(context, name, Object.fromEntries(options), first === undefined ? undefined : artifactFor(first), inputs);
}

/** Layers of the second block, made in this process. */
async function secondBlock(model: string, states: Buffer): Promise<Buffer> {
  const next = await throughLibrary(await loadStage("propagate"), { model }, {}, states);
  const statistics = await throughLibrary(await loadStage("capture"), { model }, {}, next);
  const factors = await throughLibrary(await loadStage("factor"), {}, {}, statistics);
  return throughLibrary(await loadStage("compress"), { model, solver: "rtn" }, {}, factors);
}

hosts("every stage gives one content address through library, pipe and gRPC", async (context) => {
  const { model, corpus, folder } = context;
  const save = async (name: string, bytes: Buffer): Promise<string> => {
    const path = join(folder, `${name}.arrow`);
    await writeFile(path, bytes);
    return path;
  };
  const segments = await everywhere(context, "sample", { model, corpus, mix: "equal", segments: 6, length: 32 });
  const statistics = await everywhere(context, "capture", { model }, segments);
  const factors = await everywhere(context, "factor", { damping: 0.01 }, statistics);
  const layers = await everywhere(context, "compress", { model, solver: "gptq", bits: 3, groupSize: 16 }, factors);
  await everywhere(context, "compress", { model, solver: "rtn", withoutFactors: true });
  const shares = await everywhere(context, "factor", { upper: "off", languageDiagonals: true }, statistics);
  const allocation = await everywhere(context, "allocate", { model, method: "correlation", sparsity: 0.6 }, shares);
  const allocated = { allocation: [await save("allocation", allocation)] };
  await everywhere(context, "compress", { model, solver: "m-wanda" }, shares, allocated);
  const matrices = await everywhere(context, "imatrix", { model, mix: "equal", each: true }, statistics);
  await unpackFiles(await open(matrices), join(folder, "matrices"));
  const matrix = join(folder, "imatrix", "en.gguf");
  await copyFile(join(folder, "matrices", "imatrix-en.gguf"), matrix);
  await everywhere(context, "read-imatrix", { model, imatrix: [matrix] });
  await everywhere(context, "similarity", {}, statistics);
  await everywhere(context, "similarity", { sites: "all", subspace: 4 }, statistics);

  await everywhere(context, "propagate", { model, shard: "1/2" }, segments);
  const [part, other] = [
    await everywhere(context, "capture", { model, shard: "1/2" }, segments),
    await throughLibrary(await loadStage("capture"), { model, shard: "2/2" }, {}, segments),
  ];
  await everywhere(context, "add", {}, part, { statistics: [await save("shard", other)] });

  const rows = (place: number) => ({ model, solver: "gptq", bits: 3, groupSize: 16, rows: `${place}/2` });
  const upper = await everywhere(context, "compress", rows(1), factors);
  const lower = await throughLibrary(await loadStage("compress"), rows(2), {}, factors);
  await everywhere(context, "join-layers", {}, upper, { layers: [await save("rows", lower)] });

  const states = await everywhere(context, "propagate", { model }, segments);
  const blockStatistics = await everywhere(context, "capture", { model }, states);
  const blockFactors = await throughLibrary(await loadStage("factor"), {}, {}, blockStatistics);
  const blockLayers = await throughLibrary(await loadStage("compress"), { model, solver: "sparsegpt" }, {}, blockFactors);
  await everywhere(context, "propagate", { model }, states, { layers: [await save("block", blockLayers)] });
  // One artifact on standard input, another one of the same input from a file.
  await everywhere(context, "assemble", { model }, blockLayers, {
    layers: [await save("second", await secondBlock(model, states))],
  });

  const files = await everywhere(context, "assemble", { model }, layers);
  const out = join(folder, "models", "out");
  await unpackFiles(await open(files), out);
  await everywhere(context, "evaluate", { model: out, corpus, length: 32 });

  const texts = { corpus, length: 32 };
  const ended = await everywhere(context, "last-states", { model: out, ...texts });
  await everywhere(context, "evaluate", { model: out, ...texts }, ended);

  const windows = (shard: string) => ({ model: out, corpus, length: 32, shard });
  const scored = await everywhere(context, "evaluate", windows("1/2"));
  const others = await throughLibrary(await loadStage("evaluate"), windows("2/2"), {});
  await everywhere(context, "join-scores", {}, scored, { scores: [await save("windows", others)] });

  const evaluation = { model: [model, out], corpus, length: 32 };
  const scores = await throughLibrary(await loadStage("evaluate"), evaluation, {});
  const predicted = { layers: [await save("layers", layers)] };
  await everywhere(context, "predict", { model }, statistics, predicted);
  await everywhere(context, "predict", { model }, statistics, { ...predicted, scores: [await save("scores", scores)] });
  const rotated = join(folder, "models", "rotated");
  await unpackFiles(await open(await everywhere(context, "rotate", { model, seed: 1 })), rotated);
  await everywhere(context, "rotate-statistics", { model, rotated }, statistics);
  await everywhere(context, "trim", { model, corpus, keep: ["en"] });
  // the weights are random, so that rounding them loses nothing that stands out
  const { schema, batches } = await open(scores);
  const measured = await collect(readScores({ schema, batches }));
  const worse = measured.map((score) =>
    score.model === measured[0]?.model ? score : { ...score, nll: score.nll + score.tokens },
  );
  const raised = encodeScores(worse, parseMetadata("scores", schema));
  await everywhere(context, "mix", { mix: "equal" }, await bytesOf(raised));

  const made: Readonly<Record<string, Buffer>> = { segments, statistics, factors, layers, states, allocation, files, scores };
  for (const name of stages.keys()) if (!covered.has(name)) await everywhereByKind(context, name, made);
});

/**
 * Stages that no recipe runs as a node: imatrix, rotate and trim write a folder, and the folder of a run is its model; a rotated
 * model's statistics are captured. A stage that is missing in the recipe below fails the test.
 */
const outsideRecipes: ReadonlySet<string> = new Set(["imatrix", "mix", "rotate", "rotate-statistics", "trim"]);

/**
 * Stages that a run on a queue keeps beside its coordinator: they read texts or other files that lie there by path, or write or
 * read the model's folder.
 */
const besideCoordinator: ReadonlySet<string> = new Set([
  "sample",
  "read-imatrix",
  "assemble",
  "last-states",
  "evaluate",
  "join-scores",
]);

interface RunNode {
  readonly id: string;
  readonly stage: string;
  readonly address: string;
  readonly worker?: string;
}

hosts("a recipe with every stage gives the addresses of the library on local workers and on a queue", async (context) => {
  const { folder, model, corpus } = context;
  const segments = await throughLibrary(await loadStage("sample"), { model, corpus, mix: "equal", segments: 6, length: 32 }, {});
  const statistics = await throughLibrary(await loadStage("capture"), { model }, {}, segments);
  const matrices = await throughLibrary(await loadStage("imatrix"), { model, mix: "equal", each: true }, {}, statistics);
  await unpackFiles(await open(matrices), join(folder, "run-matrices"));
  const languages = ["en", "mr"];
  const imatrix = languages.map((language) => join(folder, "run-matrices", `imatrix-${language}.gguf`));
  const recipe = {
    model,
    corpus,
    sample: { mix: "equal", segments: 6, length: 32 },
    shards: 2,
    allocate: { method: "correlation" },
    compress: { solver: "m-wanda", sparsity: 0.6 },
    evaluate: { corpus, length: 32 },
    similarity: true,
    stages: {
      matrix: { stage: "read-imatrix", options: { imatrix, language: languages } },
      damage: { stage: "predict", inputs: { statistics: "capture", layers: "compress" } },
      dense: { stage: "last-states", options: { corpus, length: 32 } },
      again: {
        stage: "evaluate",
        inputs: { lastStates: "dense" },
        options: { model: [model, model], labels: ["a", "b"], corpus, length: 32 },
      },
      upper: { stage: "compress", options: { model, solver: "rtn", withoutFactors: true, rows: "1/2" } },
      lower: { stage: "compress", options: { model, solver: "rtn", withoutFactors: true, rows: "2/2" } },
      rounded: { stage: "join-layers", inputs: { layers: ["upper", "lower"] } },
    },
  };
  const output = (host: string): string => join(folder, `run-${host}`);
  const { nodes } = await run(recipeFrom({ ...recipe, output: output("library") }), {
    stages: await loadStages(),
    threads: 1,
    signal: new AbortController().signal,
  });
  const ran = new Set(nodes.map(({ stage }) => stage));
  for (const name of stages.keys()) assert.is(ran.has(name), !outsideRecipes.has(name), name);
  const expected = nodes.map(({ id, address }) => `${id} ${address}`);

  /** Runs the recipe by the command. */
  const through = async (host: string, ...words: string[]): Promise<readonly RunNode[]> => {
    const path = join(folder, `${host}.yaml`);
    await writeFile(path, JSON.stringify({ ...recipe, output: output(host) }));
    const { code, stdout, stderr } = await runMbs(["run", path, "--threads", "1", "--json", "--quiet", ...words]);
    assert.is(code, 0, `${host}: ${stderr}`);
    const found = new Map(
      stdout
        .toString()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as RunNode)
        .map((node) => [node.id, node]),
    );
    assert.equal(
      nodes.map(({ id }) => `${id} ${found.get(id)?.address}`),
      expected,
      host,
    );
    return [...found.values()];
  };

  const local = await through("workers", "--workers", "2");
  assert.is(new Set(local.map(({ worker }) => worker)).size, 2, "both had something to do");
  if (!hasRedis) return console.log("    no redis-server here: the queue is left out");
  const { server, url } = await startRedis(folder);
  const place = ["--queue", url, "--store", join(folder, "shared")];
  const worker = startMbs(["work", ...place, "--model-root", join(folder, "models"), "--quiet"]);
  try {
    for (const { id, stage, worker: by } of await through("queue", "--engine", "queue", ...place)) {
      assert.is(by === "this machine", besideCoordinator.has(stage), `${id} on ${by}`);
    }
  } finally {
    for (const child of [worker, server]) {
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
    }
  }
});

hosts("no stage of a server runs a solver that the client brings", async ({ folder, model, corpus, via }) => {
  const [ran, solver] = [join(folder, "ran"), join(folder, "outsider.mjs")];
  // a server's child talks to its parent, the client's command has none
  await writeFile(
    solver,
    `import { writeFileSync } from "node:fs";
     if (process.send) writeFileSync(${JSON.stringify(ran)}, "");
     export default { name: "outsider", source: "a test", summary: "a outsider", needs: [], options: {}, solve: (weight) => weight };`,
  );
  const segments = await throughLibrary(await loadStage("sample"), { model, corpus, mix: "equal", segments: 4, length: 32 }, {});
  const statistics = await throughLibrary(await loadStage("capture"), { model }, {}, segments);
  const made: Readonly<Record<string, Buffer>> = {
    statistics,
    factors: await throughLibrary(await loadStage("factor"), {}, {}, statistics),
  };
  const takers: string[] = [];
  for (const [name, entry] of stages) {
    const { options, inputs } = await entry.load();
    if (!Object.hasOwn(options, "solver")) continue;
    takers.push(name);
    const [first = ""] = Object.keys(inputs);
    const { code, stderr } = await runMbs(
      [name, "--model", model, "--solver", solver, "--via", via, "--output", "-", "-"],
      made[first],
    );
    assert.not.ok(existsSync(ran), `${name} ran it: ${stderr}`);
    assert.is(code, 65, name);
    assert.match(stderr, /a server runs its own solvers only/, name);
  }
  assert.ok(takers.includes("compress"), takers.join());
});

hosts.run();
