import { isObject } from "@mbs/contracts";

const statisticNames: readonly string[] = ["factor", "diagonal", "gram", "crossMoment", "languageDiagonals"];

/** What becomes a flag of its own; --no-… takes back another. */
const optionName = /^(?!no[A-Z])[a-z][A-Za-z0-9]*$/;

/** What keeps a value from being a solver, or undefined where it has the shape of one. */
export function solverMisfit(solver: unknown): string | undefined {
  if (!isObject(solver)) return "it has no default export that is a solver object";
  for (const key of ["name", "source", "summary"]) {
    if (typeof solver[key] !== "string" || solver[key] === "") return `its ${key} is not a text`;
  }
  const { needs, options, preferredOrder, dependentDefaults, plannedCodes, solve } = solver;
  if (!Array.isArray(needs)) return "its needs are not a list";
  const unknown = needs.find((need) => !statisticNames.includes(need as string));
  if (unknown !== undefined) return `it needs ${JSON.stringify(unknown)}; statistics are ${statisticNames.join(", ")}`;
  if (!isObject(options) || !Object.values(options).every((option) => isObject(option) && typeof option["kind"] === "string")) {
    return "its options are not a table of options";
  }
  const strange = Object.keys(options).find((name) => !optionName.test(name));
  if (strange !== undefined) return `its option ${JSON.stringify(strange)} is no name in camelCase, or begins with "no"`;
  if (preferredOrder !== undefined && typeof preferredOrder !== "function") return "its preferredOrder is not a function";
  if (dependentDefaults !== undefined && typeof dependentDefaults !== "function") {
    return "its dependentDefaults is not a function";
  }
  if (plannedCodes !== undefined && typeof plannedCodes !== "function") return "its plannedCodes is not a function";
  if (typeof solve !== "function") return "its solve is not a function";
  return undefined;
}
