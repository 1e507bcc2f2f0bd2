import type { BlockAllocation, TensorAllocation } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { fittingType } from "@mbs/gguf";
import { compressibleBlocks } from "@mbs/models";
import type { Model } from "@mbs/models";

interface TensorPlace {
  readonly block: string;
  readonly rows: number;
  readonly columns: number;
}

/** What a model has to compress. */
function placesOf(model: Model) {
  const tensors = new Map<string, TensorPlace>();
  const weights = new Map<string, number>();
  for (const { name: block, sites } of compressibleBlocks(model)) {
    for (const { width: columns, weights: own } of sites) {
      for (const { tensor, rows } of own) {
        tensors.set(tensor, { block, rows, columns });
        weights.set(block, (weights.get(block) ?? 0) + rows * columns);
      }
    }
  }
  return { tensors, weights };
}

function tensorFault(row: BlockAllocation | TensorAllocation, place: TensorPlace | undefined): string | undefined {
  if (place === undefined) return "the model has no such tensor to compress";
  const { block: own, rows, columns } = place;
  if (own !== row.block) return `the model has it in ${own}`;
  if (rows * columns !== row.parameters) return `parameters is ${row.parameters}, the model's has ${rows * columns}`;
  const type = "grid" in row && row.grid.kind === "blocks" ? row.grid.type : undefined;
  if (type === undefined || fittingType(type, columns).name === type) return undefined;
  return `type is ${JSON.stringify(type)}, and its ${columns} columns are no whole blocks of that`;
}

/** Factors may lack sites of a block, such as those of experts that no token reached. */
function blockFault({ parameters }: Pick<BlockAllocation, "parameters">, weights: number | undefined): string | undefined {
  if (weights === undefined) return "the model has no such block";
  return parameters <= weights ? undefined : `parameters is ${parameters}, the model's has ${weights}`;
}

/**
 * Refuses rows that are not of the model: their sizes make the mean that the layers' metadata say.
 *
 * @throws {BadDataError} on a block or tensor that the model does not have, or has elsewhere or in another size, and on a type whose
 *   blocks do not fit a tensor's rows
 */
export function requireRowsOf(model: Model, rows: readonly (BlockAllocation | TensorAllocation)[]): void {
  const { tensors, weights } = placesOf(model);
  for (const row of rows) {
    const { block, tensor } = row;
    const [name, fault] =
      tensor === undefined
        ? [`block ${block}`, blockFault(row, weights.get(block))]
        : [`tensor ${tensor} of ${block}`, tensorFault(row, tensors.get(tensor))];
    if (fault !== undefined) throw new BadDataError(`allocation: ${name}: ${fault}; allocate again`, { block });
  }
}
