import { InputOutputError } from "@mbs/contracts";
import type { InputLostError, WorkerLostError } from "./node-worker.ts";

/** How often a node is tried whose worker ends. */
const mostTries = 2;

/** How often an artifact is lost before a run gives up: something damages it again and again. */
const mostLosses = 3;

/** Adds one to a count. @returns what it is now */
function add(counts: Map<string, number>, name: string): number {
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  return count;
}

/** Counts what a run does again, so that it does not do so for ever, and says what it does. */
export class Retries {
  readonly #root: string;
  readonly #warn: (message: string) => void;
  /** Node → how often its worker ended. */
  readonly #tries = new Map<string, number>();
  /** Artifact → how often it was lost. */
  readonly #losses = new Map<string, number>();

  /** @param root folder of the run */
  constructor(root: string, warn: (message: string) => void) {
    this.#root = root;
    this.#warn = warn;
  }

  /** The worker of a node ended. @returns whether the node is tried again */
  canTryAgain(node: string, { message }: WorkerLostError): boolean {
    if (add(this.#tries, node) >= mostTries) return false;
    this.#warn(`${node}: ${message}; it is tried again`);
    return true;
  }

  /** Artifacts are lost that are to be made again. @param reader what needs them @throws {InputOutputError} where one was lost too often */
  countLoss(reader: string, { message, addresses }: InputLostError): void {
    const counts = addresses.map((address) => add(this.#losses, address));
    if (Math.max(...counts) >= mostLosses) {
      throw new InputOutputError(
        `${reader}: ${message}, and it was made again ${mostLosses - 1} times; check the disk or server that it is kept on, at a queue also that run and workers name the same store; then run again`,
      );
    }
    this.#warn(`${reader}: ${message}; the run in ${this.#root} makes it again`);
  }
}
