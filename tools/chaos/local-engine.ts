import { choose, processorCounts } from "./engine.ts";
import type { ChaosEngine, OnNode, Random, Strike } from "./engine.ts";
import { kill, nodeOn, processesOf, start } from "./processes.ts";
import type { Marked } from "./processes.ts";
import { command } from "./programs/settings.ts";

/** The node that a line of `mbs run --json` names, where it was done now. */
export function nodeOf(line: string): string | undefined {
  try {
    const { id, seconds } = JSON.parse(line) as { id?: string; seconds?: number };
    return seconds === undefined ? undefined : id;
  } catch {
    return undefined; // cut by a kill, or for people
  }
}

/** `mbs run`: the run and its workers are killed, and it goes on with another number of them, on other processors. */
export class LocalEngine implements ChaosEngine {
  #onNode: OnNode = () => undefined;

  async prepare(onNode: OnNode): Promise<void> {
    this.#onNode = onNode;
  }

  startRun(recipe: string, random: Random): Marked {
    const workers = choose(
      random,
      ["1", "2", "3"].map((count) => [count, 1] as const),
    );
    const words = [command, "run", recipe, "--json", "--workers", workers];
    return start(nodeOn(choose(random, processorCounts), words), {
      onLine: (line) => {
        const node = nodeOf(line);
        if (node !== undefined) this.#onNode(node);
      },
    });
  }

  async strike(run: Marked, random: Random): Promise<Strike | undefined> {
    const workers = (await processesOf(run.mark)).filter((pid) => pid !== run.pid);
    const pid = choose(random, [[run.pid, 1], ...workers.map((worker) => [worker, 1 / workers.length] as const)]);
    return kill(pid) ? { at: pid === run.pid ? "coordinator" : "worker", isKill: true } : undefined;
  }

  async settle(): Promise<number> {
    return 0;
  }

  async end(): Promise<number> {
    return 0;
  }
}
