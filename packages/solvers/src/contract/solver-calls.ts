import { inspect } from "node:util";
import { InternalError, UsageError, type MbsError } from "@mbs/contracts";

/** A stranger's solver brings its own copy of contracts along, whose classes `instanceof` does not know. */
const isUsage = (thrown: unknown): thrown is UsageError => thrown instanceof Error && "tag" in thrown && thrown.tag === "usage";

/**
 * What a solver's code threw, told as that solver's.
 *
 * The contract lets a solver refuse options and orders by a UsageError. Whatever else it throws is a fault of the solver:
 * the code, name or tag that it bears would say of this program what is not so, as an EPIPE that our reader went away.
 *
 * @param where "at h.0 mlp-down"
 */
export function solverFailure(solver: string, where: string, thrown: unknown): MbsError {
  const reason = (thrown instanceof Error && thrown.message) || inspect(thrown);
  if (isUsage(thrown))
    return new UsageError(`solver ${solver} ${where}: ${reason}`, { ...thrown.facts, solver }, { cause: thrown });
  return new InternalError(
    `solver ${solver} failed ${where}: ${reason}; mend it (--debug shows its stack)`,
    { solver },
    { cause: thrown },
  );
}
