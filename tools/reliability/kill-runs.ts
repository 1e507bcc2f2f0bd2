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

/** Processes that a process has started and that are there still; Linux alone. */
async function childrenOf(process: number): Promise<number[]> {
  const text = await readFile(`/proc/${process}/task/${process}/children`, "utf8").catch(() => "");
  return text.split(" ").filter(Boolean).map(Number);
}

/** Whether a process is there: not even as one whose end nobody has asked for. */
async function isThere(process: number): Promise<boolean> {
  const status = await readFile(`/proc/${process}/stat`, "utf8").catch(() => undefined);
  return status !== undefined && !/\) [ZX] /.test(status);
}

/** Milliseconds after which a worker without its run has to be gone. */
const orphanMs = 3000;

interface Kill {
  /** After so many milliseconds. */
  readonly after: number;
  /** From 0 to 1: which of the run and its workers. */
  readonly choice: number;
}

interface Ended {
  /** Whether the run ended by itself, well. */
  readonly isDone: boolean;
  readonly isKilled: boolean;
  /** Workers that outlived the run. */
  readonly orphans: number;
}

/** Runs the recipe; kills it or one of its workers. */
async function runUntil(recipe: string, kill?: Kill): Promise<Ended> {
  const child = spawn(process.execPath, [...command, "run", recipe, "--quiet", "--workers", "2"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (data: Buffer) => (errors += data.toString()));
  // its workers have the other end of standard error too, so it may close later
  const ended = new Promise<number | null>((done) => child.on("exit", done));
  const stop = new AbortController();
  const seen = new Set<number>();
  let isKilled = false;
  const watch = async (): Promise<void> => {
    if (kill === undefined || child.pid === undefined) return;
    await setTimeout(kill.after, undefined, { signal: stop.signal });
    const workers = await childrenOf(child.pid);
    for (const worker of workers) seen.add(worker);
    const all = [child.pid, ...workers];
    process.kill(all[Math.floor(kill.choice * all.length)] ?? child.pid, "SIGKILL");
    isKilled = true;
  };
  const watching = watch().catch(() => undefined);
  const code = await ended;
  stop.abort();
  await watching;
  const isLost = code === 70 && errors.includes("was ended by SIGKILL");
  if (code !== null && code !== 0 && !isLost) throw new Error(`mbs run ${recipe}: exit ${code}: ${errors}`);
  const areThere = async (): Promise<number> => (await Promise.all([...seen].map(isThere))).filter(Boolean).length;
  for (let waited = 0; waited < orphanMs && (await areThere()) > 0; waited += 100) await setTimeout(100);
  return { isDone: code === 0, isKilled, orphans: await areThere() };
}

/**
 * Kills runs of a small recipe or one of their two workers at random moments, resumes each until it ends, and compares what it
 * wrote with a run that was never killed.
 *
 * @param folder takes the texts, recipes and outputs
 * @param kills how many to make, over as many runs as that takes
 */
export async function killRuns(
  folder: string,
  kills: number,
  seed: number,
): Promise<{ kills: number; runs: number; different: number; orphans: number }> {
  const corpus = await writeCorpus(folder);
  const recipeFor = async (name: string): Promise<{ recipe: string; output: string }> => {
    const output = join(folder, name);
    const recipe = join(folder, `${name}.yaml`);
    const text = stringify({
      model,
      corpus,
      sample: { mix: "equal", segments: 4, length: 16 },
      shards: 2,
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
  const fraction = (): number => (random.next() >>> 0) / 2 ** 32;
  let [made, runs, different, orphans] = [0, 0, 0, 0];
  while (made < kills) {
    const { recipe, output } = await recipeFor(`killed-${runs}`);
    runs++;
    for (let isDone = false; !isDone;) {
      const ended = await runUntil(recipe, made < kills ? { after: fraction() * duration * 1.1, choice: fraction() } : undefined);
      ({ isDone } = ended);
      made += Number(ended.isKilled);
      orphans += ended.orphans;
    }
    if ((await hashes(output)) !== expected) different++;
    await rm(output, { recursive: true });
  }
  return { kills: made, runs, different, orphans };
}
