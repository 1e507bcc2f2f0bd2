import { collect, parseMetadata, readAllocation } from "@mbs/artifacts";
import { BadDataError, optionFlag, UsageError, type ArtifactStream } from "@mbs/contracts";
import type { SolverChoice } from "../site/solve-site.ts";

/** An allocation as compress uses it. */
export interface StepSparsity {
  /** What the layers' metadata say of it. */
  readonly origin: Readonly<Record<string, unknown>>;
  /**
   * The solver with the sparsity of one step.
   *
   * @throws {BadDataError} where the allocation does not have the step
   */
  readonly choiceOf: (step: string) => SolverChoice;
}

/**
 * Reads an allocation for a solver that prunes.
 *
 * @throws {UsageError} where the solver or its options have no sparsity, or another than the allocation
 * @throws {BadDataError} where the allocation is of another model
 */
export async function readStepSparsity(
  allocation: ArtifactStream,
  model: string,
  { solver, options }: SolverChoice,
): Promise<StepSparsity> {
  const { model: allocated, method, options: settings, sparsity } = parseMetadata("allocation", allocation.schema);
  if (allocated !== model) {
    throw new BadDataError(`the allocation is of model ${allocated}, the factors are of ${model}; allocate again`, {
      expected: model,
      found: allocated,
    });
  }
  const option = Object.hasOwn(solver.options, "sparsity") ? solver.options["sparsity"] : undefined;
  if (option === undefined || options["pattern"] !== undefined) {
    const what = option === undefined ? `solver ${solver.name} has no sparsity` : "a pattern is the same everywhere";
    throw new UsageError(`compress: --allocation sets the sparsity of each step, and ${what}; leave it out`, {
      option: "--allocation",
    });
  }
  const asked = Number(options["sparsity"]);
  // hosts fill defaults in, so a default says nothing
  if (asked !== sparsity && asked !== option.default) {
    throw new UsageError(
      `compress: --sparsity ${asked} is not the ${sparsity} that was allocated; leave it out or allocate again`,
      { option: "--sparsity" },
    );
  }
  const steps = new Map((await collect(readAllocation(allocation))).map((entry) => [entry.step, entry.sparsity]));
  const words = [method, ...Object.entries(settings).map(([name, value]) => `${optionFlag(name)} ${String(value)}`)];
  return {
    origin: { sparsity, allocation: words.join(" ") },
    choiceOf(step) {
      const own = steps.get(step);
      if (own === undefined) throw new BadDataError(`the allocation has no step ${step}; allocate from all steps`, { step });
      return { solver, options: { ...options, sparsity: own } };
    },
  };
}
