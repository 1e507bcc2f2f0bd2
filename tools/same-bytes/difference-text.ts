import type { Difference } from "./compare-records.ts";

/** Differences of a case that are printed in full. */
const mostShown = 20;

const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

/** A value, of two long texts the first line that differs. */
function sides({ before, after }: Difference): [string, string] {
  if (typeof before !== "string" || typeof after !== "string") {
    return [
      before === undefined ? "not there" : cut(JSON.stringify(before)),
      after === undefined ? "gone" : cut(JSON.stringify(after)),
    ];
  }
  const [old, now] = [before.split("\n"), after.split("\n")];
  const line = old.findIndex((text, at) => text !== now[at]);
  const at = line < 0 ? old.length : line;
  return [cut(JSON.stringify(old[at] ?? "")), cut(JSON.stringify(now[at] ?? ""))];
}

/** What differs, bits first. */
export function differenceText(differences: readonly Difference[]): string {
  const sorted = [...differences.filter(({ bits }) => bits), ...differences.filter(({ bits }) => !bits)];
  const lines = sorted.slice(0, mostShown).map((difference) => {
    const [before, after] = sides(difference);
    return `  ${difference.bits ? "BITS " : ""}${difference.path}: ${before} → ${after}`;
  });
  const rest = sorted.length - lines.length;
  return [...lines, ...(rest > 0 ? [`  … and ${rest} more`] : [])].join("\n");
}
