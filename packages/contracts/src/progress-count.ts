import type { Progress } from "./stage.ts";

/** "3 of 16 sites", "0 of 1 site"; without a total "3 sites". */
export function progressCount({ done, total, unit }: Pick<Progress, "done" | "total" | "unit">): string {
  // all units are plurals: "sites", "batches"
  const counted = (total ?? done) === 1 ? unit.replace(/(?<=ch)es$|s$/, "") : unit;
  return `${done}${total === undefined ? "" : ` of ${total}`} ${counted}`;
}
