import { at, type StageContext } from "@mbs/contracts";
import type { Model } from "@mbs/models";

/** Of the work of a model on a window: through the blocks, and what is computed from the states after them. */
interface Parts {
  readonly blocks: number;
  readonly scoring: number;
}

const sumOf = ({ blocks, scoring }: Parts): number => blocks + scoring;

const weightsOf = ({ sites }: Model["blocks"][number]): number =>
  sites.reduce((sum, { width, weights }) => sum + width * weights.reduce((all, { rows }) => all + rows, 0), 0);

/**
 * Multiplications of a token.
 *
 * @param heads how many times a head makes its logits
 * @param runsBlocks false where the states after the blocks are there already
 */
export const workOf = ({ blocks, hiddenSize, vocabularySize }: Model, heads: number, runsBlocks = true): Parts => ({
  blocks: runsBlocks ? blocks.reduce((sum, block) => sum + weightsOf(block), 0) : 0,
  scoring: heads * hiddenSize * vocabularySize,
});

/** Progress of all models over all windows as one number, by the operations that are done: both parts of the work take long. */
export class WindowProgress {
  readonly #activity: string;
  readonly #models: readonly Parts[];
  readonly #windows: number;
  readonly #context: StageContext;
  /** Windows of the chunks that all models have scored. */
  #before = 0;

  constructor(activity: string, models: readonly Parts[], windows: number, context: StageContext) {
    this.#activity = activity;
    this.#models = models;
    this.#windows = windows;
    this.#context = context;
  }

  /** @param shares of a model's blocks and of its scores that are done, over the windows of the chunk that is at work */
  report(chunk: number, place: number, shares: Parts): void {
    const own = at(this.#models, place);
    const whole = this.#models.reduce((sum, model) => sum + sumOf(model), 0);
    const earlier = this.#models.slice(0, place).reduce((sum, model) => sum + sumOf(model), 0);
    const share = (earlier + own.blocks * shares.blocks + own.scoring * shares.scoring) / whole;
    const total = this.#windows * this.#models.length;
    // a rounding of a share of 1 is not to be a window less
    const done = Math.floor(((this.#before + share * chunk) / this.#windows) * total + 1e-6);
    this.#context.progress({ activity: this.#activity, done, total, unit: "windows" });
  }

  /** All models have scored the windows of a chunk. */
  ended(chunk: number): void {
    this.#before += chunk;
  }
}
