import type { StepAllocation, TensorAllocation } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { fittingType } from "@mbs/gguf";
import type { Model } from "@mbs/models";

interface TensorPlace {
  readonly step: string;
  readonly rows: number;
  readonly columns: number;
}

/** What a model has to compress. */
function placesOf({ steps }: Model) {
  const tensors = new Map<string, TensorPlace>();
  const weights = new Map<string, number>();
  for (const { name: step, sites } of steps) {
    for (const { width: columns, weights: own } of sites) {
      for (const { tensor, rows } of own) {
        tensors.set(tensor, { step, rows, columns });
        weights.set(step, (weights.get(step) ?? 0) + rows * columns);
      }
    }
  }
  return { tensors, weights };
}

function tensorFault(row: StepAllocation | TensorAllocation, place: TensorPlace | undefined): string | undefined {
  if (place === undefined) return "the model has no such tensor to compress";
  const { step: own, rows, columns } = place;
  if (own !== row.step) return `the model has it in ${own}`;
  if (rows * columns !== row.parameters) return `parameters is ${row.parameters}, the model's has ${rows * columns}`;
  const type = "grid" in row && row.grid.kind === "blocks" ? row.grid.type : undefined;
  if (type === undefined || fittingType(type, columns).name === type) return undefined;
  return `type is ${JSON.stringify(type)}, and its ${columns} columns are no whole blocks of that`;
}

/** Factors may lack sites of a step, such as those of experts that no token reached. */
function stepFault({ parameters }: Pick<StepAllocation, "parameters">, weights: number | undefined): string | undefined {
  if (weights === undefined) return "the model has no such step";
  return parameters <= weights ? undefined : `parameters is ${parameters}, the model's has ${weights}`;
}

/**
 * Refuses rows that are not of the model: their sizes make the mean that the layers' metadata say.
 *
 * @throws {BadDataError} on a step or tensor that the model does not have, or has elsewhere or in another size, and on a type whose
 *   blocks do not fit a tensor's rows
 */
export function requireRowsOf(model: Model, rows: readonly (StepAllocation | TensorAllocation)[]): void {
  const { tensors, weights } = placesOf(model);
  for (const row of rows) {
    const { step, tensor } = row;
    const [name, fault] =
      tensor === undefined
        ? [`step ${step}`, stepFault(row, weights.get(step))]
        : [`tensor ${tensor} of ${step}`, tensorFault(row, tensors.get(tensor))];
    if (fault !== undefined) throw new BadDataError(`allocation: ${name}: ${fault}; allocate again`, { step });
  }
}
