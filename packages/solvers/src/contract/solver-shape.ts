import { isObject, optionsFault } from "@mbs/contracts";
import { gridOptionNames } from "../grids/grid-options.ts";

const statisticNames: readonly string[] = ["factor", "diagonal", "gram", "crossMoment", "languageDiagonals"];

const isKind = (kind: unknown): boolean => kind === "groups" || kind === "blocks" || kind === "none";

/** What keeps a value from being a solver, or undefined where it has the shape of one. */
export function solverFault(solver: unknown): string | undefined {
  if (!isObject(solver)) return "it has no default export that is a solver object";
  for (const key of ["name", "source", "summary"]) {
    if (typeof solver[key] !== "string" || solver[key] === "") return `its ${key} is not a text`;
  }
  const {
    needs,
    reads,
    grids,
    groupOptions,
    options,
    rowsAreIndependent,
    prefersNormalisedTokens,
    preferredOrder,
    preferredDamping,
    preferredAllocation,
    dependentDefaults,
    plannedCodes,
    solve,
  } = solver;
  if (!Array.isArray(needs)) return "its needs are not a list";
  const unknown = needs.find((need) => !statisticNames.includes(need as string));
  if (unknown !== undefined) return `it needs ${JSON.stringify(unknown)}; statistics are ${statisticNames.join(", ")}`;
  if (grids !== undefined && !(Array.isArray(grids) && grids.every(isKind))) {
    return "its grids are not a list of groups, blocks and none";
  }
  const wrongOptions = optionsFault(options);
  if (wrongOptions !== undefined) return wrongOptions;
  const names = Object.keys(options as object);
  const taken = grids === undefined ? undefined : names.find((name) => gridOptionNames.includes(name));
  if (taken !== undefined) return `its option ${taken} follows from its grids; leave it out`;
  if (
    groupOptions !== undefined &&
    !(Array.isArray(groupOptions) && groupOptions.every((name) => names.includes(name as string)))
  ) {
    return "its groupOptions are not a list of its options";
  }
  if (rowsAreIndependent !== undefined && rowsAreIndependent !== true) return "its rowsAreIndependent is not true, nor absent";
  if (prefersNormalisedTokens !== undefined && prefersNormalisedTokens !== true) {
    return "its prefersNormalisedTokens is not true, nor absent";
  }
  if (reads !== undefined && typeof reads !== "function") return "its reads is not a function";
  if (preferredOrder !== undefined && typeof preferredOrder !== "function") return "its preferredOrder is not a function";
  if (preferredDamping !== undefined && typeof preferredDamping !== "function") return "its preferredDamping is not a function";
  if (preferredAllocation !== undefined && typeof preferredAllocation !== "function")
    return "its preferredAllocation is not a function";
  if (dependentDefaults !== undefined && typeof dependentDefaults !== "function") {
    return "its dependentDefaults is not a function";
  }
  if (plannedCodes !== undefined && typeof plannedCodes !== "function") return "its plannedCodes is not a function";
  if (typeof solve !== "function") return "its solve is not a function";
  return undefined;
}
