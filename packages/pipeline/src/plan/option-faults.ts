import { UsageError, optionTable, parseOptions } from "@mbs/contracts";
import type { OptionTable, Stage, StageOptions } from "@mbs/contracts";
import { optionName } from "../recipe/recipe-keys.ts";
import type { Recipe } from "../recipe/recipe.ts";

/** The option that an error is about, by its names in recipe and library: "group-size", "groupSize". */
function optionNames({ facts }: UsageError): readonly [string, string] {
  const option = facts["option"] ?? ("solver" in facts ? "solver" : "");
  const name = String(option).replace(/^--/, "");
  return [name, optionName(name)];
}

/** The same error with the recipe's line in front. */
export function located(error: UsageError, section: readonly string[], { locate }: Recipe): UsageError {
  if (locate === undefined) return error;
  const whole = locate(section);
  const where = optionNames(error)
    .map((key) => locate([...section, key]))
    .find((line) => line !== whole);
  return new UsageError(`${where ?? whole}: ${error.message}`, error.facts, { cause: error });
}

const asUsage = (error: unknown): UsageError => {
  if (error instanceof UsageError) return error;
  throw error;
};

/**
 * All faults in the options of a node. Parsing stops at the first, so it is repeated without each option that was refused.
 *
 * @param elsewhere options that come from other keys of the recipe and are checked there
 */
export async function optionFaults(
  stage: Stage,
  options: StageOptions,
  elsewhere: readonly string[] = [],
): Promise<readonly UsageError[]> {
  let table: OptionTable = stage.options;
  const faults: UsageError[] = [];
  const given = new Map(Object.entries(options));
  try {
    table = await optionTable(stage, options);
  } catch (error) {
    // without a valid solver or format only the options of the stage itself can be checked, but for that one
    const fault = asUsage(error);
    faults.push(fault);
    const wrong = optionNames(fault);
    table = Object.fromEntries(Object.entries(stage.options).filter(([name]) => !wrong.includes(name)));
    for (const name of given.keys()) if (!Object.hasOwn(table, name)) given.delete(name);
  }
  for (const name of elsewhere) given.delete(name);
  table = Object.fromEntries(Object.entries(table).filter(([name]) => !elsewhere.includes(name)));
  for (;;) {
    try {
      parseOptions(table, Object.fromEntries(given), stage.name);
      return faults;
    } catch (error) {
      const fault = asUsage(error);
      faults.push(fault);
      // a missing option cannot be removed
      if (!optionNames(fault).some((name) => given.delete(name))) return faults;
    }
  }
}
