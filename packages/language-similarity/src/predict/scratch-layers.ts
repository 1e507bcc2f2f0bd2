import { keepLayer, layerShape, layerValues, parseMetadata, readLayer, readLayers } from "@mbs/artifacts";
import type { ScratchFile, ScratchLayer } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { compressibleBlocks, requireSameModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { subtractFromWeight } from "./weight-change.ts";
import type { WeightChange } from "./weight-change.ts";

/** What is written of one tensor. */
interface KeptLayer {
  readonly layer: ScratchLayer;
  /** s, where the values are meant for inputs divided by s. */
  readonly inputScale: Float32Array | undefined;
}

const keyOf = (block: string, site: string): string => JSON.stringify([block, site]);

/** Written values of layers, in a file until the statistics of their site come. */
export class ScratchLayers {
  readonly #model: Model;
  readonly #scratch: ScratchFile;
  readonly #sites = new Map<string, KeptLayer[]>();
  readonly #tensors = new Set<string>();
  readonly #norms: ReadonlySet<string>;

  constructor(model: Model, scratch: ScratchFile) {
    this.#model = model;
    const sites = model.blocks.flatMap((block) => block.sites);
    this.#norms = new Set(sites.flatMap(({ scaledBy = [] }) => scaledBy.map(({ tensor }) => tensor)));
    this.#scratch = scratch;
  }

  /** @throws {BadDataError} when the layers are of another model, or a tensor comes twice */
  async add(stream: ArtifactStream): Promise<void> {
    const { model: address } = parseMetadata("layers", stream.schema);
    requireSameModel("the layers", address, this.#model, "compress again");
    for await (const layer of readLayers(stream)) {
      const { block, site, tensor, inputScale } = layer;
      if (this.#tensors.has(tensor)) throw new BadDataError(`two layers change tensor ${tensor}; give one of them`, { tensor });
      this.#tensors.add(tensor);
      // a norm that takes the inverse of a scale changes no output by itself
      if (this.#norms.has(tensor)) continue;
      const layers = this.#sites.get(keyOf(block, site)) ?? [];
      this.#sites.set(keyOf(block, site), layers);
      const scale = inputScale && new Float32Array(inputScale.data.slice().buffer);
      layers.push({ layer: keepLayer(this.#scratch, layer), inputScale: scale });
    }
  }

  has(block: string, site: string): boolean {
    return this.#sites.has(keyOf(block, site));
  }

  get sites(): readonly (readonly [block: string, site: string])[] {
    return [...this.#sites.keys()].map((key) => JSON.parse(key) as [string, string]);
  }

  /**
   * Reads the weights of one site and subtracts what is written.
   *
   * @throws {BadDataError} where the model has no such weight at this site, or of another shape
   */
  async read(block: string, site: string, width: number): Promise<WeightChange[]> {
    const weights =
      compressibleBlocks(this.#model)
        .find(({ name }) => name === block)
        ?.sites.find(({ name }) => name === site)?.weights ?? [];
    const changes: WeightChange[] = [];
    for (const { layer, inputScale } of this.#sites.get(keyOf(block, site)) ?? []) {
      const { tensor } = layer;
      const { rows, columns } = layerShape(layer);
      const known = weights.find((weight) => weight.tensor === tensor);
      if (known?.rows !== rows || columns !== width) {
        const expected = known ? `[${known.rows}, ${width}]` : `no such tensor at ${block} ${site}`;
        throw new BadDataError(`layer ${tensor} has shape [${rows}, ${columns}], the model ${expected}; compress again`, {
          tensor,
        });
      }
      const weight = await this.#model.readWeight(tensor);
      const change = layerValues(readLayer(this.#scratch, layer));
      subtractFromWeight(weight, change, inputScale);
      changes.push({ tensor, rows, weight, change });
    }
    return changes;
  }
}
