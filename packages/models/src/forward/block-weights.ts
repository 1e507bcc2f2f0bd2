import { InternalError } from "@mbs/contracts";
import type { WeightReader } from "../checkpoint/weight-reader.ts";
import { use } from "./recently-used.ts";

/** Weights of a block or of the head, by the name of their role. */
export type RoleWeights = ReadonlyMap<string, Float32Array>;

/** The weight of a role that a graph reads. */
export function weightOf(weights: RoleWeights, role: string): Float32Array {
  const values = weights.get(role);
  if (values === undefined) throw new InternalError(`the weight ${role} of a graph was not read`, { role });
  return values;
}

const bytesOf = (weights: RoleWeights): number => [...weights.values()].reduce((sum, values) => sum + values.byteLength, 0);

/** Reads weights by role and keeps those used last: all of a tiny model, a block or more of another. */
export class WeightCache {
  readonly #readWeight: WeightReader;
  readonly #limit: number;
  readonly #kept = new Map<string, RoleWeights>();

  /** @param limit bytes of weights that stay in memory; a larger block is kept alone */
  constructor(readWeight: WeightReader, limit: number) {
    this.#readWeight = readWeight;
    this.#limit = limit;
  }

  /**
   * @param key of the group
   * @param tensors role → name in the checkpoint
   */
  async read(key: string, tensors: ReadonlyMap<string, string>): Promise<RoleWeights> {
    const kept = use(this.#kept, key);
    if (kept !== undefined) return kept;
    const weights = new Map<string, Float32Array>();
    for (const [role, name] of tensors) weights.set(role, await this.#readWeight(name));
    this.#evictFor(bytesOf(weights));
    this.#kept.set(key, weights);
    return weights;
  }

  clear(): void {
    this.#kept.clear();
  }

  heldBytes(): number {
    return [...this.#kept.values()].reduce((sum, weights) => sum + bytesOf(weights), 0);
  }

  #evictFor(bytes: number): void {
    let held = this.heldBytes();
    for (const [key, weights] of this.#kept) {
      if (held + bytes <= this.#limit) break;
      this.#kept.delete(key);
      held -= bytesOf(weights);
    }
  }
}
