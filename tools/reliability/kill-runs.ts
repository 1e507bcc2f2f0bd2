import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { stringify } from "yaml";
import { command, model, writeCorpus } from "./make-artifacts.ts";

/** Hashes of the model and the scores that a run wrote, by path. */
async function hashes(output: string): Promise<string> {
  const names = (await readdir(output, { recursive: true })).filter((name) => /\.(safetensors|json|arrow)$/.test(name));
  const kept = names.filter((name) => name.startsWith("model/") || name === "scores.arrow").toSorted();
  const lines = await Promise.all(
    kept.map(
      async (name) =>
        `${name} ${createHash("sha256")
          .update(await readFile(join(output, name)))
          .digest("hex")}`,
    ),
  );
  return lines.join("\n");
}

/** Runs the recipe; kills it after so many milliseconds. @returns whether it ended by itself, well */
async function runUntil(recipe: string, milliseconds?: number): Promise<boolean> {
  const child = spawn(process.execPath, [...command, "run", recipe, "--quiet"], { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data: Buffer) => (errors += data.toString()));
  const ended = new Promise<{ code: number | null }>((done) => child.on("close", (code) => done({ code })));
  const stop = new AbortController();
  if (milliseconds !== undefined)
    void setTimeout(milliseconds, undefined, { signal: stop.signal }).then(
      () => child.kill("SIGKILL"),
      () => undefined,
    );
  const { code } = await ended;
  stop.abort();
  if (code !== null && code !== 0) throw new Error(`mbs run ${recipe}: exit ${code}: ${errors}`);
  return code === 0;
}

/**
 * Kills runs of a small recipe at random moments, resumes each until it ends, and compares what it wrote with a run that was
 * never killed.
 *
 * @param folder takes the texts, recipes and outputs
 * @param kills how many to make, over as many runs as that takes
 */
export async function killRuns(
  folder: string,
  kills: number,
  seed: number,
): Promise<{ kills: number; runs: number; different: number }> {
  const corpus = await writeCorpus(folder);
  const recipeFor = async (name: string): Promise<{ recipe: string; output: string }> => {
    const output = join(folder, name);
    const recipe = join(folder, `${name}.yaml`);
    const text = stringify({
      model,
      corpus,
      sample: { mix: "equal", segments: 4, length: 16 },
      propagation: "sequential",
      compress: { solver: "gptq", bits: 4, "group-size": 8 },
      evaluate: { corpus, windows: 2, length: 16 },
      output,
    });
    await writeFile(recipe, text);
    return { recipe, output };
  };

  const whole = await recipeFor("whole");
  const started = performance.now();
  await runUntil(whole.recipe);
  const duration = performance.now() - started;
  const expected = await hashes(whole.output);

  const random = xoroshiro128plus(seed);
  let [made, runs, different] = [0, 0, 0];
  while (made < kills) {
    const { recipe, output } = await recipeFor(`killed-${runs}`);
    runs++;
    while (!(await runUntil(recipe, made < kills ? ((random.next() >>> 0) / 2 ** 32) * duration * 1.1 : undefined))) made++;
    if ((await hashes(output)) !== expected) different++;
    await rm(output, { recursive: true });
  }
  return { kills: made, runs, different };
}
