import { parseMetadata, readLayers } from "@mbs/artifacts";
import type { Spool, SpoolSlot } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { compressibleSteps, requireSameModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { decodeWeights } from "@mbs/numbers";
import { subtractFromWeight } from "./weight-change.ts";
import type { WeightChange } from "./weight-change.ts";

/** The written values of one tensor, in the spool. */
interface SpooledLayer {
  readonly tensor: string;
  readonly rows: number;
  readonly columns: number;
  readonly dtype: string;
  readonly slot: SpoolSlot;
  /** s, where the values are meant for inputs divided by s. */
  readonly inputScale: Float32Array | undefined;
}

const keyOf = (step: string, site: string): string => JSON.stringify([step, site]);

/** Written values of layers, in a file until the statistics of their site come. */
export class SpooledLayers {
  readonly #model: Model;
  readonly #spool: Spool;
  readonly #sites = new Map<string, SpooledLayer[]>();
  readonly #tensors = new Set<string>();
  readonly #norms: ReadonlySet<string>;

  constructor(model: Model, spool: Spool) {
    this.#model = model;
    const sites = model.steps.flatMap((step) => step.sites);
    this.#norms = new Set(sites.flatMap(({ scaledBy = [] }) => scaledBy.map(({ tensor }) => tensor)));
    this.#spool = spool;
  }

  /** @throws {BadDataError} when the layers are of another model, or a tensor comes twice */
  async add(stream: ArtifactStream): Promise<void> {
    const { model: address } = parseMetadata("layers", stream.schema);
    requireSameModel("the layers", address, this.#model, "compress again");
    for await (const { step, site, tensor, values, inputScale } of readLayers(stream)) {
      if (this.#tensors.has(tensor)) throw new BadDataError(`two layers change tensor ${tensor}; give one of them`, { tensor });
      this.#tensors.add(tensor);
      // a norm that takes the inverse of a scale changes no output by itself
      if (this.#norms.has(tensor)) continue;
      const { rows, columns, dtype, data } = values;
      const layers = this.#sites.get(keyOf(step, site)) ?? [];
      this.#sites.set(keyOf(step, site), layers);
      const scale = inputScale && new Float32Array(inputScale.data.slice().buffer);
      layers.push({ tensor, rows, columns, dtype, slot: this.#spool.append(data), inputScale: scale });
    }
  }

  has(step: string, site: string): boolean {
    return this.#sites.has(keyOf(step, site));
  }

  get sites(): readonly (readonly [step: string, site: string])[] {
    return [...this.#sites.keys()].map((key) => JSON.parse(key) as [string, string]);
  }

  /**
   * Reads the weights of one site and subtracts what is written.
   *
   * @throws {BadDataError} where the model has no such weight at this site, or of another shape
   */
  async read(step: string, site: string, width: number): Promise<WeightChange[]> {
    const weights =
      compressibleSteps(this.#model)
        .find(({ name }) => name === step)
        ?.sites.find(({ name }) => name === site)?.weights ?? [];
    const changes: WeightChange[] = [];
    for (const { tensor, rows, columns, dtype, slot, inputScale } of this.#sites.get(keyOf(step, site)) ?? []) {
      const known = weights.find((weight) => weight.tensor === tensor);
      if (known?.rows !== rows || columns !== width) {
        const expected = known ? `[${known.rows}, ${width}]` : `no such tensor at ${step} ${site}`;
        throw new BadDataError(`layer ${tensor} has shape [${rows}, ${columns}], the model ${expected}; compress again`, {
          tensor,
        });
      }
      const weight = await this.#model.readWeight(tensor);
      const change = decodeWeights(dtype, this.#spool.read(slot), `layer ${tensor}`);
      subtractFromWeight(weight, change, inputScale);
      changes.push({ tensor, rows, weight, change });
    }
    return changes;
  }
}
