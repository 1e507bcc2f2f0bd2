import {
  InterruptedError,
  type ObjectPool,
  type Poolable,
  type SiteWeight,
  type Solution,
  type Solver,
  type SolverContext,
  type SolverStatistics,
} from "@mbs/contracts";
import { createBlas, type OnnxBlas } from "@mbs/onnx";
import { hasSeparableRows, joinRows, rowsOf, splitRows, type RowRange } from "@mbs/solvers";
import type { Solved } from "./row-task.ts";
import { rowWorker, WorkerThread } from "./worker-thread.ts";

/** What a worker thread was seen to hold between two tasks of 2 million weights: its modules, and what the last task left. */
const threadBytes = 80 * 1024 * 1024;

const keyOf = (threads: number): string => `row threads ${threads}`;

/** How a site is solved, and with what. */
export interface SiteTask {
  readonly solver: Solver;
  readonly weight: SiteWeight;
  readonly statistics: Partial<SolverStatistics>;
  readonly options: Parameters<Solver["solve"]>[2];
}

/**
 * Threads that solve the rows of a site together: the one that calls, and workers, which are started when they are first
 * needed and kept. One site at a time.
 *
 * Each thread multiplies on one thread. The rows of a site are split by its shape and the number of threads alone, so that the
 * same number gives the same bytes.
 */
export class RowThreads implements Poolable {
  readonly #threads: number;
  readonly #entry: URL;
  readonly #blas: OnnxBlas = createBlas({ threads: 1 });
  #workers: WorkerThread[] = [];
  #shared = new SharedArrayBuffer(0);

  /**
   * @param threads ≥ 1, the calling one among them
   * @param entry of the workers
   */
  constructor(threads: number, entry = rowWorker) {
    this.#threads = threads;
    this.#entry = entry;
  }

  /** Those that an earlier stage has left in the pool, or new ones. */
  static take(threads: number, pool: ObjectPool | undefined): RowThreads {
    const kept = pool?.take(keyOf(threads));
    return kept instanceof RowThreads ? kept : new RowThreads(threads);
  }

  /** Leaves them to the next stage, or ends them where there is no pool. */
  async giveBack(pool: ObjectPool | undefined): Promise<void> {
    await (pool === undefined ? this.close() : pool.put(keyOf(this.#threads), this));
  }

  get bytes(): number {
    return this.#workers.length * threadBytes + this.#shared.byteLength;
  }

  /** Whether the rows of a site are split: those of a large one, by a built-in solver whose rows are independent. */
  async splits(solver: Solver, weight: SiteWeight): Promise<boolean> {
    return splitRows(weight, this.#threads).length > 1 && hasSeparableRows(solver);
  }

  /**
   * Memory for a matrix of the statistics that all threads read, instead of a copy for each. The next one takes its place: the
   * memory is used again, since the engine's garbage collector does not count what is shared.
   */
  sharedMatrix(length: number): Float32Array {
    const bytes = length * Float32Array.BYTES_PER_ELEMENT;
    if (this.#shared.byteLength < bytes) this.#shared = new SharedArrayBuffer(bytes);
    return new Float32Array(this.#shared, 0, length);
  }

  /**
   * Solves a site that `splits` is true of. Where a thread fails or the signal fires, all workers are ended.
   *
   * @throws what the solver throws on any of the threads
   */
  async solve(task: SiteTask, { signal, warn }: Omit<SolverContext, "blas">): Promise<Solution> {
    // a signal that has fired does not fire again
    if (signal.aborted) throw new InterruptedError("stopped before solving rows of a site");
    const { solver, statistics, options } = task;
    const [first, ...others] = splitRows(task.weight, this.#threads);
    const weightOf = (range: RowRange | undefined): SiteWeight => (range ? rowsOf(task.weight, range) : task.weight);
    const end = (): void => void this.#endWorkers();
    signal.addEventListener("abort", end, { once: true });
    try {
      const answers = others.map((range, index) =>
        this.#worker(index).solve({ solver: solver.name, weight: weightOf(range), statistics, options }),
      );
      const own = async (): Promise<Solved> => {
        const context = { blas: this.#blas, signal, warn };
        return { solution: await solver.solve(weightOf(first), statistics as SolverStatistics, options, context), warnings: [] };
      };
      const all = [own(), ...answers];
      // where one fails, the others are not left behind at work
      await Promise.allSettled(all);
      const solved = await Promise.all(all);
      for (const message of new Set(solved.flatMap(({ warnings }) => warnings))) warn(message);
      return joinRows(solved.map(({ solution }) => solution));
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      signal.removeEventListener("abort", end);
    }
  }

  /** Ends the workers and frees what is held. New ones are started where it is used again. */
  async close(): Promise<void> {
    await this.#endWorkers();
    this.#workers = [];
    this.#shared = new SharedArrayBuffer(0);
    await this.#blas.release();
  }

  async #endWorkers(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.end()));
  }

  #worker(index: number): WorkerThread {
    const kept = this.#workers[index];
    if (kept?.ended === false) return kept;
    const worker = new WorkerThread(this.#entry);
    this.#workers[index] = worker;
    return worker;
  }
}
