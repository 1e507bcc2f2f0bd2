import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import type { Case, RecipeCase } from "./case-parts.ts";
import { CommandLine } from "./command-line.ts";
import type { Recorded } from "./compare-records.ts";
import { fingerprintArtifact, fingerprintFile, fingerprintFolder } from "./fingerprint.ts";

const root = join(import.meta.dirname, "../..");

type Mutable = { [key: string]: Recorded };

/** Puts names in place of paths of this machine, and of content addresses, which follow from contents that are recorded themselves. */
function withNames(made: Recorded, work: string, addresses: ReadonlyMap<string, string>): Recorded {
  if (typeof made === "string") {
    return made
      .replaceAll(new RegExp(`${work}(?:/[0-9a-f]{16})?`, "g"), "WORK")
      .replaceAll(root, "ROOT")
      .replaceAll(/\b[0-9a-f]{64}\b/g, (address) => addresses.get(address) ?? address);
  }
  if (made === null || typeof made !== "object") return made;
  if (Array.isArray(made)) return made.map((item: Recorded) => withNames(item, work, addresses));
  const entries = Object.entries<Recorded>(made);
  return Object.fromEntries(
    entries.map(([key, value]) => [
      key.replaceAll(/\b[0-9a-f]{64}\b/g, (address) => addresses.get(address) ?? address),
      // an artifact's own address is a result by itself
      key === "address" && typeof value === "string" ? value : withNames(value, work, addresses),
    ]),
  );
}

/** Commands one after the other, each reading what earlier ones wrote. */
async function runLines(lines: readonly string[], shell: CommandLine) {
  const made: Mutable = {};
  const files = new Map<string, string>();
  const addresses = new Map<string, string>();
  for (const line of lines) {
    const result = await shell.run(line, files);
    const name = / > (\S+)$/.exec(line)?.[1] ?? `${line.split(" ", 1).join()} ${Object.keys(made).length}`;
    made[name] = result.made;
    if (result.path !== undefined) files.set(name, result.path);
    for (const address of result.addresses) if (!addresses.has(address)) addresses.set(address, `address of ${name}`);
  }
  return { made, files, addresses };
}

/** A whole run, and every artifact that it left. */
async function runRecipe({ recipe, lines = [] }: RecipeCase, folder: string, shell: CommandLine) {
  const { files } = await runLines(lines, shell);
  const output = join(folder, "out");
  const path = join(folder, "recipe.yaml");
  await mkdir(folder, { recursive: true });
  await writeFile(path, shell.withPaths(JSON.stringify({ ...recipe, keep: true, output }), files));
  const printed = await shell.execute("run", [path, "--threads", "1", "--workers", "0"]);
  const record = parse(await readFile(join(output, "recipe.yaml"), "utf8")) as { hashes: { nodes: Record<string, string> } };
  const addresses = new Map<string, string>();
  const nodes: Mutable = {};
  for (const [node, address] of Object.entries(record.hashes.nodes)) {
    if (!addresses.has(address)) addresses.set(address, `address of ${node}`);
    // a model is no artifact, and its folder is fingerprinted
    const artifact = join(output, "run/artifacts", `${address}.arrow`);
    nodes[node] = existsSync(artifact) ? (await fingerprintArtifact(artifact)).made : "no artifact";
  }
  const models = ["model", "run/trimmed", "run/rotated"].filter((name) => existsSync(join(output, name)));
  const made = {
    printed,
    recipe: fingerprintFile(join(output, "recipe.yaml")),
    nodes,
    ...Object.fromEntries(await Promise.all(models.map(async (name) => [name, await fingerprintFolder(join(output, name))]))),
  } as Recorded;
  return { made, addresses };
}

/** The commands as processes of a shell, with the defaults of the program's own command line. */
async function runPipe(pipe: string, folder: string) {
  await mkdir(folder, { recursive: true });
  const program = join(folder, "mbs");
  const start = [
    process.execPath,
    "--conditions=mbs-source",
    "--import",
    import.meta.resolve("tsx"),
    join(import.meta.dirname, "program.ts"),
  ];
  await writeFile(program, `#!/bin/sh\nexec ${start.map((word) => `'${word}'`).join(" ")} "$@"\n`);
  await chmod(program, 0o755);
  const shell = pipe.replaceAll("@", `${folder}/`);
  await promisify(execFile)("sh", ["-e", "-c", shell], {
    cwd: root,
    env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` },
  });
  await rm(program);
  return { made: await fingerprintFolder(folder), addresses: new Map<string, string>() };
}

/** Runs a case in a folder of its own. */
export async function runCase(one: Case, work: string, shell: CommandLine): Promise<Recorded> {
  const folder = join(work, one.name);
  const { made, addresses } = await ("recipe" in one
    ? runRecipe(one, folder, shell)
    : "lines" in one
      ? runLines(one.lines, shell)
      : runPipe(one.pipe, folder));
  await rm(folder, { recursive: true, force: true });
  return withNames(made, work, addresses);
}
