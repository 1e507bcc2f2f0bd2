import { quoted, UsageError } from "@mbs/contracts";
import type { Catalogue } from "./catalogue.ts";

/** A part of a pattern: any text, or a character that passes. */
type GlobPart = "any" | ((character: string) => boolean);

function globParts(pattern: string): GlobPart[] {
  return Array.from(pattern.matchAll(/\[(!?)([^\]]+)\]|[^]/gu), ([part, not, set]): GlobPart => {
    if (part === "*") return "any";
    if (part === "?") return () => true;
    if (set === undefined) return (character) => character === part;
    const ranges = Array.from(set.matchAll(/([^])-([^])|[^]/gu), ([one, first = one, last = one]) => ({ first, last }));
    const isIn = (character: string): boolean => ranges.some(({ first, last }) => first <= character && character <= last);
    return not === "!" ? (character) => !isIn(character) : isIn;
  });
}

/** Whether a name is what a pattern of Python's fnmatch stands for: `*`, `?`, `[a-z]` and `[!a-z]`; its time is that of their product. */
function matchesGlob(parts: readonly GlobPart[], name: string): boolean {
  let ends = new Set([0]);
  const skipAny = (end: number): void => {
    ends.add(end);
    if (parts[end] === "any") skipAny(end + 1);
  };
  skipAny(0);
  for (const character of name) {
    const before = ends;
    ends = new Set();
    for (const end of before) {
      const part = parts[end];
      if (part === "any") skipAny(end);
      else if (part?.(character) === true) skipAny(end + 1);
    }
  }
  return ends.has(parts.length);
}

/**
 * The names in the catalogue that wanted names and globs stand for, each once.
 *
 * @throws {UsageError} where one stands for nothing
 */
export function matchNames(wanted: readonly string[], { entries: catalogue, unreadable }: Catalogue): string[] {
  const names = new Set<string>();
  for (const pattern of wanted) {
    if (catalogue.has(pattern)) {
      names.add(pattern);
      continue;
    }
    const parts = globParts(pattern);
    const found = [...catalogue.keys()].filter((name) => matchesGlob(parts, name)).sort();
    if (found.length === 0)
      throw new UsageError(`there is no task, group or tag ${quoted(pattern)}${but(unreadable)}; ${hint(pattern, catalogue)}`, {
        task: pattern,
      });
    for (const name of found) names.add(name);
  }
  return [...names];
}

/** The name may be in a file that cannot be read. */
function but([first, ...others]: readonly string[]): string {
  if (first === undefined) return "";
  const rest = others.length === 0 ? "" : `, and ${others.length} more files cannot be read`;
  return `, but ${first.replaceAll("; ", ", ")}${rest}`;
}

function hint(pattern: string, catalogue: Catalogue["entries"]): string {
  if (catalogue.size === 0) return "the folders have no tasks at all, so check their paths";
  const near = [...catalogue.keys()].filter((name) => name.includes(pattern) || pattern.includes(name)).slice(0, 5);
  return near.length > 0
    ? `there are ${near.join(", ")}`
    : "mbs tasks FOLDER lists those that there are, or add the folder that has it";
}
