import { encodeLayers, orderAllShards, parseMetadata, readLayers } from "@mbs/artifacts";
import type { LayerRecord, LayerSummary, TensorData } from "@mbs/artifacts";
import { at, BadDataError, defineStage, InterruptedError, type ArtifactStream } from "@mbs/contracts";

const placeOf = ({ step, site }: LayerRecord): string => `${step} ${site}`;

function joinRows(parts: readonly TensorData[]): TensorData {
  const { dtype, columns } = at(parts, 0);
  const data = new Uint8Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let start = 0;
  for (const part of parts) {
    data.set(part.data, start);
    start += part.data.length;
  }
  return { dtype, rows: parts.reduce((sum, { rows }) => sum + rows, 0), columns, data };
}

const refuse = ({ tensor }: LayerRecord, fault: string): never => {
  throw new BadDataError(`layer ${tensor}: ${fault}; compress its parts again`, { tensor });
};

const inRows = ["values", "mask", "codes", "scales", "zeros"] as const;

/**
 * One tensor from the layers of its rows.
 *
 * @param parts in the order of the rows
 * @throws {BadDataError} where rows are missing, or the parts are of different forms
 */
function joinTensor(parts: readonly LayerRecord[]): LayerRecord {
  const first = at(parts, 0);
  const { firstRow: _, tensorRows, output: __, ...form } = first.summary;
  let rows = 0;
  for (const part of parts) {
    if (part.summary.firstRow !== rows || part.summary.tensorRows !== tensorRows) {
      refuse(first, `its part begins with row ${part.summary.firstRow}, and the rows before it are ${rows}`);
    }
    for (const key of [...inRows, "groups"] as const) {
      if ((part[key] === undefined) !== (first[key] === undefined)) refuse(first, `one of its parts has ${key} and another none`);
    }
    rows += part.values.rows;
  }
  if (rows !== tensorRows) refuse(first, `its parts have ${rows} of ${tensorRows} rows`);
  const sum = (valueOf: (summary: LayerSummary, part: LayerRecord) => number): number =>
    parts.reduce((total, part) => total + valueOf(part.summary, part), 0);
  const error = sum(({ error: own }) => own);
  const output = sum(({ output: own = 0 }) => own);
  const joined = inRows.flatMap((key) => {
    const found = parts.flatMap((part) => part[key] ?? []);
    return found.length === 0 ? [] : [[key, joinRows(found)] as const];
  });
  return {
    ...first,
    ...Object.fromEntries(joined),
    summary: {
      ...form,
      error,
      damage: output > 0 ? error / output : 0,
      sparsity: sum(({ sparsity }, { values }) => sparsity * values.rows) / rows,
    },
  };
}

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
    for (const head of heads) if (head !== undefined) refuse(head, `the first part has no layers of ${placeOf(head)} there`);
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
    // every part was checked where it was read
    return { layers: encodeLayers(joinAll(streams, signal), at(parts, 0).common, { checked: true }) };
  },
});
