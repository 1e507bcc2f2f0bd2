import { encodeLayers, orderAllShards, parseMetadata, readLayers } from "@mbs/artifacts";
import type { LayerRecord } from "@mbs/artifacts";
import { at, defineStage, InterruptedError, type ArtifactStream } from "@mbs/contracts";
import { joinTensor, refusePart } from "./rows/joined-tensor.ts";

const placeOf = ({ block, site }: LayerRecord): string => `${block} ${site}`;

/** Reads one site ahead of each part: the first has rows of every site, in the order of the whole. */
async function* joinAll(streams: readonly ArtifactStream[], signal: AbortSignal): AsyncGenerator<LayerRecord> {
  const sources = streams.map((stream) => readLayers(stream, { parts: true })[Symbol.asyncIterator]());
  try {
    const next = async (index: number): Promise<LayerRecord | undefined> =>
      (await at(sources, index).next()).value as LayerRecord;
    const heads = await Promise.all(sources.map((_, index) => next(index)));
    for (let lead = heads[0]; lead !== undefined; lead = heads[0]) {
      if (signal.aborted) throw new InterruptedError("join-layers: stopped");
      const place = placeOf(lead);
      const tensors = new Map<string, LayerRecord[]>();
      for (const index of sources.keys()) {
        for (let head = heads[index]; head !== undefined && placeOf(head) === place; head = heads[index]) {
          tensors.set(head.tensor, [...(tensors.get(head.tensor) ?? []), head]);
          heads[index] = await next(index);
        }
      }
      for (const parts of tensors.values()) yield joinTensor(parts);
    }
    for (const head of heads) if (head !== undefined) refusePart(head, `the first part has no layers of ${placeOf(head)} there`);
  } finally {
    for (const source of sources) await source.return?.();
  }
}

/** Stage `join-layers`: layers of parts of the rows become those of whole tensors. */
export const joinLayers = defineStage({
  name: "join-layers",
  summary: "Join layers whose rows were compressed apart.",
  examples: ["mbs join-layers --layers rows-1.arrow --layers rows-2.arrow > layers.arrow"],
  inputs: {
    layers: { kinds: ["layers"], many: true, description: "outputs of `mbs compress --rows`, all parts of the rows" },
  },
  outputs: { layers: { kind: "layers", description: "the compressed weights, whole" } },
  options: {},
  run({ layers }, _, { signal }) {
    const parts = layers.map((stream) => {
      const { rowParts: shards, ...common } = parseMetadata("layers", stream.schema);
      return { stream, shards, common };
    });
    const streams = orderAllShards(parts, "the rows");
    return { layers: encodeLayers(joinAll(streams, signal), at(parts, 0).common) };
  },
});
