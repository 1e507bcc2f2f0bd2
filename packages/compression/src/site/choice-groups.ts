import { at, type SiteWeight } from "@mbs/contracts";
import type { LoadedSite } from "./site-weight.ts";

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
 * Splits a site by what was chosen for its tensors; a site whose tensors have all the same stays as it is.
 *
 * @returns in the order of the first tensor of each; those of one have the same choices
 */
export function choiceGroups(site: LoadedSite): readonly LoadedSite[] {
  const { weight, dtypes, choices, origins } = site;
  const groups = new Map<string, number[]>();
  for (const [index, choice] of choices.entries()) {
    const key = JSON.stringify(choice);
    groups.set(key, [...(groups.get(key) ?? []), index]);
  }
  if (groups.size === 1) return [site];
  return [...groups.values()].map((indices) => {
    const pick = <Item>(items: readonly Item[]): Item[] => indices.map((index) => at(items, index));
    const own = { weight: partsOf(weight, indices), dtypes: pick(dtypes), choices: pick(choices) };
    return { ...site, ...own, ...(origins && { origins: pick(origins) }) };
  });
}
