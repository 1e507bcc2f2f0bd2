import { at, type SiteWeight } from "@mbs/contracts";
import type { LoadedSite } from "./site-weight.ts";
import type { SolverChoice } from "./solve-site.ts";

/** Tensors of a site that are solved together. */
export interface ChoiceGroup {
  readonly choice: SolverChoice;
  readonly site: LoadedSite;
}

/** Some parts of a weight as a weight of their own. */
function partsOf(weight: SiteWeight, indices: readonly number[]): SiteWeight {
  const { columns } = weight;
  const chosen = indices.map((index) => at(weight.parts, index));
  const values = new Float32Array(chosen.reduce((sum, { rows }) => sum + rows, 0) * columns);
  let rows = 0;
  const parts = chosen.map((part) => {
    values.set(weight.values.subarray(part.firstRow * columns, (part.firstRow + part.rows) * columns), rows * columns);
    const moved = { ...part, firstRow: rows };
    rows += part.rows;
    return moved;
  });
  return { ...weight, rows, values, parts };
}

/**
 * Splits a site by what each of its tensors is solved with; a site whose tensors have all the same stays as it is.
 *
 * @param choiceOf one object for all tensors that are solved alike
 * @returns in the order of the first tensor of each
 */
export function choiceGroups(site: LoadedSite, choiceOf: (tensor: string) => SolverChoice): readonly ChoiceGroup[] {
  const groups = new Map<SolverChoice, number[]>();
  for (const [index, { tensor }] of site.weight.parts.entries()) {
    const choice = choiceOf(tensor);
    groups.set(choice, [...(groups.get(choice) ?? []), index]);
  }
  return [...groups].map(([choice, indices]) => {
    if (groups.size === 1) return { choice, site };
    const { weight, dtypes, origins } = site;
    const own = {
      weight: partsOf(weight, indices),
      dtypes: indices.map((index) => at(dtypes, index)),
      ...(origins && { origins: indices.map((index) => at(origins, index)) }),
    };
    return { choice, site: { ...site, ...own } };
  });
}
