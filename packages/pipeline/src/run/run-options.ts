import type { DeviceChoice, DeviceReport, Observer, Progress } from "@mbs/contracts";
import type { Stages } from "../plan/known-stages.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { Judge } from "../quality/choose-best.ts";
import type { NodeReport } from "./engine.ts";
import type { WorkerChoice } from "./local-executor.ts";
import type { QueueChoice } from "./queue/queue-executor.ts";

export interface RunOptions {
  readonly stages: Stages;
  /**
   * Threads for native code; with another number results may differ in the last bits, so a run goes on with the number that it
   * began with. Absent: that number, or the processors that are available.
   */
  readonly threads?: number | undefined;
  /** What runs models on this machine; a run goes on with what it began with. Absent: that, or the processor. */
  readonly device?: DeviceChoice | undefined;
  /** Bytes for what later stages need, of all workers together. No result depends on it. Absent: by the memory of the machine. */
  readonly memory?: number | undefined;
  /** Processes that run the nodes; absent: this process runs them, one after the other. */
  readonly workers?: WorkerChoice | undefined;
  /** Workers on other machines, by a queue; `workers` then says how this machine runs what they cannot run, in one process. */
  readonly queue?: QueueChoice | undefined;
  readonly signal: AbortSignal;
  readonly progress?: (progress: Progress) => void;
  /** Progress and warnings of each node by themselves, in place of the whole run's and of the first of each kind with a count. */
  readonly verbose?: boolean;
  readonly warn?: (message: string) => void;
  /** Whether the result may be as large as its source without a warning: it is not made for its size. */
  readonly anySize?: boolean;
  /** Called with a line on values that the recipe leaves to the solver and the format, or on what comes out. */
  readonly note?: (message: string) => void;
  /**
   * Called for every node when it is done or was done by an earlier run; of several workers, in the order in which they end. A node
   * whose output is lost with a worker is made, and reported, once more.
   */
  readonly onNode?: (report: NodeReport) => void;
  /** Called with what each node did on a graphics processor of this machine. */
  readonly onDevice?: (report: DeviceReport) => void;
  /** Gets reports of every node that runs. */
  readonly observer?: Observer | undefined;
  /**
   * Writes the model's card at the end of the run, from paths; not called where the recipe has `assemble: { card: false }`.
   *
   * @param made scores are absent where the recipe evaluates nothing
   */
  readonly describe?: (made: { model: string; scores: string | undefined; recipe: string }) => Promise<void>;
  /**
   * Tries other ways of compressing too, compares them by validation texts (key `quality`), and makes the model of the best;
   * absent: that of the recipe as it is given.
   */
  readonly judge?: Judge | undefined;
  /** What the caller runs next: its time counts to the time left. */
  readonly following?: readonly Recipe[];
  /** Start over, replacing what an earlier run has left in the output folder. */
  readonly force?: boolean;
}
