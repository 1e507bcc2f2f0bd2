import { mkdir, rm } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { writeCorpus } from "../reliability/make-artifacts.ts";
import type { ChaosEngine, Random } from "./engine.ts";
import { LocalEngine } from "./local-engine.ts";
import { kill, orphansOf } from "./processes.ts";
import type { Marked } from "./processes.ts";
import { QueueEngine } from "./queue-engine.ts";
import { RunsAlone, writeRecipe } from "./recipe.ts";

export interface ChaosOptions {
  readonly engine: "local" | "queue";
  /** What the queue's workers meet the run at; default S3. */
  readonly store?: "s3" | "folder";
  /** How many to make, over as many runs as that takes. */
  readonly kills: number;
  readonly seed: number;
  /** Milliseconds that a run takes which is left alone; default: one is made first. */
  readonly duration?: number;
  /** Takes texts, recipes, outputs and what servers keep. */
  readonly folder: string;
  /** A line about what happens. */
  readonly say: (line: string) => void;
  /** A line that workers and runs say. */
  readonly log: (line: string) => void;
}

/** What has been counted. */
export interface Tally {
  kills: number;
  runs: number;
  /** Kills and other faults by what they hit. */
  readonly strikes: Record<string, number>;
  /** Runs with other bytes than one that was not killed. */
  wrong: number;
  /** Runs that ended without a result, failed for another reason than what was done to them, or did not end. */
  lost: number;
  /** Processes that outlived what had started them. */
  orphans: number;
  /** Nodes that were done. */
  nodes: number;
  /** Nodes that were done again: their result was in the memory of what was killed, or only in a Redis that was emptied. */
  twice: number;
  /** Runs that ended by themselves, and were started again: no server was there, or a node's workers were killed three times. */
  gaveUp: number;
}

/** Most kills of one run: then it is left alone, so that many runs end and are compared. */
const killsOfRun = 10;
/** Longest time between two of them, as a fraction of the time that a run takes. */
const longestPause = 0.5;
/** Milliseconds without a kill after which a run must have ended, and as a multiple of what one takes that is left alone. */
const longestRun = { least: 600_000, multiple: 10 };

const triesAgain = 75;
const failed = 70;

/** Whether a run may end like this because of what was done to it. */
const isExcused = (code: number, said: string): boolean =>
  code === triesAgain || (code === failed && /ended by SIGKILL|its workers were lost/.test(said));

class Chaos {
  readonly tally: Tally = { kills: 0, runs: 0, strikes: {}, wrong: 0, lost: 0, orphans: 0, nodes: 0, twice: 0, gaveUp: 0 };
  readonly #options: ChaosOptions;
  readonly #engine: ChaosEngine;
  readonly #random: Random;
  readonly #begun = performance.now();
  /** Milliseconds that a run takes which is left alone, or took that was struck if that is less; undefined until there was one. */
  #duration: number | undefined;

  constructor(options: ChaosOptions, engine: ChaosEngine) {
    const random = xoroshiro128plus(options.seed);
    this.#options = options;
    this.#duration = options.duration;
    this.#engine = engine;
    this.#random = () => (random.next() >>> 0) / 2 ** 32;
  }

  /** Runs until there were enough kills; the first run is left alone where nobody has said how long one takes. */
  async runAll(): Promise<void> {
    const { folder, kills, say } = this.#options;
    const corpus = await writeCorpus(folder);
    const alone = new RunsAlone(folder, corpus);
    while (this.#duration === undefined || this.tally.kills < kills) {
      const { recipe, output } = await writeRecipe(folder, `killed-${this.tally.runs}`, corpus);
      const isAlone = this.#duration === undefined;
      const began = performance.now();
      const isOver = await this.#runOne(recipe, isAlone ? 0 : Math.min(killsOfRun, kills - this.tally.kills));
      // the machine may have been busy before
      this.#duration = Math.min(this.#duration ?? Infinity, performance.now() - began);
      this.tally.runs += 1;
      if (!isOver) {
        this.tally.lost += 1;
        continue; // what it has left is kept, to look at
      }
      const difference = await alone.differenceOf(output);
      if (difference === undefined) await rm(output, { recursive: true });
      else {
        this.tally[difference.isLost ? "lost" : "wrong"] += 1;
        say(`${difference.isLost ? "LOST" : "WRONG"}: ${difference.what}`);
      }
      this.#sayProgress();
    }
  }

  get #longestRun(): number {
    return Math.max(longestRun.least, longestRun.multiple * (this.#duration ?? 0));
  }

  #sayProgress(): void {
    const { kills, say } = this.#options;
    const { tally } = this;
    const took = (performance.now() - this.#begun) / 1000;
    const left = tally.kills === 0 ? "" : `, about ${Math.ceil((took / tally.kills) * (kills - tally.kills))} s left`;
    const bad = `${tally.wrong} wrong, ${tally.lost} lost, ${tally.orphans} orphans`;
    say(`${tally.kills} of ${kills} kills, ${tally.runs} runs, ${bad}, ${tally.twice} nodes twice, ${Math.round(took)} s${left}`);
  }

  /** @returns whether it ended with a result */
  async #runOne(recipe: string, most: number): Promise<boolean> {
    const { say, log } = this.#options;
    const done = new Set<string>();
    await this.#engine.prepare((node) => {
      this.tally.nodes += 1;
      if (done.has(node)) this.tally.twice += 1;
      done.add(node);
    });
    const until = this.tally.kills + most;
    let struck = performance.now();
    for (;;) {
      const run = this.#engine.startRun(recipe, this.#random);
      const ended = await this.#strikeUntilEnd(run, until, () => (struck = performance.now()));
      this.tally.orphans += await orphansOf(run);
      log(`run: ${String(ended)} ${run.said()}`);
      const isLate = performance.now() - struck > this.#longestRun;
      if (ended !== 0 && ended !== null && !isLate && isExcused(ended, run.said())) {
        this.tally.gaveUp += 1;
        await wait(200);
      } else if (ended !== 0 && (ended !== null || isLate)) {
        say(`LOST: ${recipe} ended with ${String(ended)}${isLate ? ", after a long time" : ""}: ${run.said()}`);
        this.tally.orphans += await this.#engine.settle();
        return false;
      }
      if (ended === 0) {
        this.tally.orphans += await this.#engine.settle();
        return true;
      }
    }
  }

  /** Strikes a run now and then, until it has ended or there were enough. @returns its code; null where a signal ended it */
  async #strikeUntilEnd(run: Marked, until: number, onStrike: () => void): Promise<number | null> {
    const ended = run.ended;
    const isOver = ended.then(() => true);
    while (this.tally.kills < until) {
      const pause = this.#random() * (this.#duration ?? 0) * longestPause;
      if (await Promise.race([isOver, wait(pause, false)])) break;
      const strike = await this.#engine.strike(run, this.#random);
      if (strike === undefined) continue;
      const { at, isKill } = strike;
      onStrike();
      this.tally.kills += Number(isKill);
      this.tally.strikes[at] = (this.tally.strikes[at] ?? 0) + 1;
      if (at === "coordinator") break;
    }
    const tooLong = new AbortController();
    const timer = wait(this.#longestRun, undefined, { signal: tooLong.signal }).then(
      () => void kill(run.pid),
      () => undefined,
    );
    const code = await ended;
    tooLong.abort();
    await timer;
    return code;
  }

  async end(): Promise<void> {
    this.tally.orphans += await this.#engine.end();
  }
}

/**
 * Kills what takes part in runs of a small recipe at random moments, resumes each run until it ends, and compares what it has
 * written with a run that was left alone. Linux alone, after a build.
 */
export async function causeChaos(options: ChaosOptions): Promise<Tally> {
  const { engine, folder, log, store = "s3" } = options;
  await mkdir(folder, { recursive: true });
  const chaos = new Chaos(options, engine === "local" ? new LocalEngine() : await QueueEngine.open(folder, store, log));
  try {
    await chaos.runAll();
  } finally {
    await chaos.end();
  }
  return chaos.tally;
}
