import { spawn } from "node:child_process";
import { open, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { encodeMixes, writeArtifact } from "@mbs/artifacts";
import type { MixRecord } from "@mbs/artifacts";
import { stringify } from "yaml";

const repository = resolve(import.meta.dirname, "../..");
/** What node runs for `mbs`. */
export const command = [join(repository, "packages/mbs/bin/mbs.js")];

/** A tiny model; its tokenizer knows capital letters, digits and signs. */
export const model = join(repository, "packages/models/test/fixtures/forward/llama-grouped-f32");

const texts = {
  en: "THEFILEISSAVED;",
  fr: "LEFICHIERESTENREGISTRE;",
};

/** Runs the command; `input` and `output` are files for standard input and output. */
export async function mbs(args: readonly string[], input?: string, output?: string): Promise<void> {
  const [stdin, stdout] = await Promise.all([
    input === undefined ? ("ignore" as const) : open(input, "r"),
    output === undefined ? ("ignore" as const) : open(output, "w"),
  ]);
  const descriptor = (file: typeof stdin) => (file === "ignore" ? file : file.fd);
  const child = spawn(process.execPath, [...command, ...args], { stdio: [descriptor(stdin), descriptor(stdout), "pipe"] });
  let errors = "";
  child.stderr?.on("data", (data: Buffer) => (errors += data.toString()));
  const code = await new Promise((done) => child.on("close", done));
  for (const file of [stdin, stdout]) if (file !== "ignore") await file.close();
  if (code !== 0) throw new Error(`mbs ${args.join(" ")}: exit ${String(code)}: ${errors}`);
}

/** Writes a corpus of made-up lines. @returns path of its YAML file */
export async function writeCorpus(folder: string): Promise<string> {
  const languages: Record<string, string> = {};
  for (const [language, text] of Object.entries(texts)) {
    const lines = Array.from({ length: 40 }, (_, line) => JSON.stringify({ text: text.repeat(8) + String(line) }));
    languages[language] = `${language}.jsonl`;
    await writeFile(join(folder, `${language}.jsonl`), `${lines.join("\n")}\n`);
  }
  await writeFile(join(folder, "texts.yaml"), stringify({ languages }));
  return join(folder, "texts.yaml");
}

/** @param loss in nats a token */
const predicted = (language: string, loss: number): MixRecord => ({
  mix: "recommended",
  language,
  weight: 0.5,
  loss,
  low: 0,
  high: 1,
});

/**
 * Makes an artifact of every kind from the tiny model with the command.
 *
 * @param folder an empty folder that takes them
 * @returns kind → path
 */
export async function makeArtifacts(folder: string): Promise<ReadonlyMap<string, string>> {
  const corpus = await writeCorpus(folder);
  const made = new Map<string, string>();
  const make = async (kind: string, from: string | undefined, ...args: string[]): Promise<void> => {
    const path = join(folder, `${kind}.arrow`);
    await mbs([...args, "--quiet"], from === undefined ? undefined : made.get(from), path);
    made.set(kind, path);
  };
  const ofModel = ["--model", model];
  await make(
    "segments",
    undefined,
    "sample",
    ...ofModel,
    "--corpus",
    corpus,
    "--mix",
    "equal",
    "--segments",
    "4",
    "--length",
    "16",
  );
  await make("states", "segments", "propagate", ...ofModel);
  await make("statistics", "segments", "capture", ...ofModel);
  await make("factors", "statistics", "factor");
  await make("layers", "factors", "compress", ...ofModel, "--solver", "gptq", "--bits", "4", "--group-size", "8");
  await make("allocation", "factors", "allocate", ...ofModel, "--method", "uniform", "--sparsity", "0.5");
  await make("similarity", "statistics", "similarity");
  await make("damage", "statistics", "predict", ...ofModel, "--layers", made.get("layers") ?? "");
  await make("scores", undefined, "evaluate", ...ofModel, "--corpus", corpus, "--windows", "2", "--length", "16");
  // a model of random weights loses nothing that a mix could follow from
  const about = { model: "small", dense: "M", measured: { en: 0.5, fr: 0.5 }, exponent: 0.15, power: 4 };
  const mixes = encodeMixes([predicted("en", 0.1), predicted("fr", 0.2)], {
    ...about,
    recommended: "recommended",
    importance: { en: 1, fr: 1 },
  });
  const path = join(folder, "mixes.arrow");
  await writeArtifact(mixes, path);
  made.set("mixes", path);
  return made;
}
