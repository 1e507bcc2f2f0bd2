import { UsageError } from "@mbs/contracts";

/**
 * All that is wrong, in one line.
 *
 * @throws {UsageError} the fault itself where there is one, or a list of all; nothing where there is none
 */
export function throwFaults(faults: readonly UsageError[]): void {
  const [first] = faults;
  if (first === undefined) return;
  if (faults.length === 1) throw first;
  const list = faults.map(({ message }, index) => `(${index + 1}) ${message}`).join(" ");
  throw new UsageError(`${faults.length} faults: ${list}`, first.facts, { cause: first });
}
