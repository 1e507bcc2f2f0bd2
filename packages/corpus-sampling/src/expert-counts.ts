import { expertOf } from "@mbs/artifacts";
import { at, InterruptedError, UsageError } from "@mbs/contracts";
import type { Matrix, StageContext } from "@mbs/contracts";
import type { Forward, Model } from "@mbs/models";

/** Tokens that run through a block together. */
const batchTokens = 2048;

/** States that wait between two blocks at most, bytes: the weights of each block are read once for so many. */
const waitingBytes = 256 * 1024 * 1024;

/** The sites of a block whose rows tell what each of its experts gets: the first of each. */
interface RoutedBlock {
  readonly index: number;
  readonly sites: readonly string[];
}

/** The blocks of a model that have experts. */
const routedBlocks = ({ blocks }: Model): readonly RoutedBlock[] =>
  blocks.flatMap(({ sites }, index): RoutedBlock[] => {
    const first = new Map<number, string>();
    for (const { name } of sites) {
      const expert = expertOf(name);
      if (expert !== undefined && !first.has(expert)) first.set(expert, name);
    }
    return first.size === 0 ? [] : [{ index, sites: [...first].sort(([a], [b]) => a - b).map(([, name]) => name) }];
  });

/** @throws {UsageError} where the model has no experts */
export function requireExperts(model: Model): void {
  if (routedBlocks(model).length > 0) return;
  throw new UsageError(`--cover-experts: ${model.path} is no mixture of experts; leave it out`, { option: "--cover-experts" });
}

/** Runs text through a model, and counts the tokens that each of its experts gets. */
export class ExpertCounter {
  readonly #model: Model;
  readonly #forward: Forward;
  readonly #routed: readonly RoutedBlock[];
  /** Tokens that have been run. */
  tokens = 0;

  /** @param forward the model's own, which stays open */
  constructor(model: Model, forward: Forward) {
    this.#model = model;
    this.#forward = forward;
    this.#routed = routedBlocks(model);
  }

  /** Experts of all blocks. */
  get experts(): number {
    return this.#routed.reduce((sum, { sites }) => sum + sites.length, 0);
  }

  /**
   * @param segments equally long
   * @returns tokens by expert, block after block
   */
  async count(segments: readonly Int32Array[], { signal, progress }: StageContext): Promise<Float64Array> {
    const counts = new Float64Array(this.experts);
    const length = segments[0]?.length ?? 0;
    const together = Math.max(1, Math.floor(waitingBytes / (length * this.#model.hiddenSize * 4)));
    for (let first = 0; first < segments.length; first += together) {
      const batch = Math.max(1, Math.floor(batchTokens / length));
      const states: Matrix[] = [];
      const part = segments.slice(first, first + together);
      for (let start = 0; start < part.length; start += batch) {
        const tokens = part.slice(start, start + batch);
        states.push(await this.#forward.embed(Int32Array.from(tokens.flatMap((own) => [...own])), tokens.length));
      }
      let place = 0;
      for (const [index, { name }] of this.#model.blocks.entries()) {
        const sites = this.#routed.find((block) => block.index === index)?.sites ?? [];
        for (const [position, before] of states.entries()) {
          if (signal.aborted) throw new InterruptedError("sample: stopped");
          states[position] = await this.#walk(index, before, before.rows / length, sites, counts.subarray(place));
        }
        place += sites.length;
        progress({
          activity: `count what experts of ${name} get`,
          done: first + part.length,
          total: segments.length,
          unit: "segments",
        });
      }
    }
    this.tokens += segments.length * length;
    return counts;
  }

  /** Adds what the experts of a block get, and gives the states after it. */
  async #walk(index: number, states: Matrix, batch: number, sites: readonly string[], counts: Float64Array): Promise<Matrix> {
    let cut = await this.#forward.beginBlock(index, states, { batch });
    while (cut.passed.size < at(this.#model.blocks, index).sites.length) {
      const next = await this.#forward.nextSites(cut);
      ({ cut } = next);
      for (const [expert, site] of sites.entries()) counts[expert] = at(counts, expert) + (next.inputs.get(site)?.rows ?? 0);
    }
    return this.#forward.endBlock(cut);
  }
}
