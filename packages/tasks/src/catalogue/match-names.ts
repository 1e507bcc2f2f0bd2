import { UsageError } from "@mbs/contracts";
import type { Catalogue } from "./catalogue.ts";

/** Python's fnmatch: `*`, `?`, `[a-z]` and `[!a-z]`. */
function globExpression(pattern: string): RegExp {
  const source = pattern.replace(/\[(!?)([^\]]+)\]|[*?]|[\\^$.+(){}|[\]]/g, (part: string, not?: string, set?: string) => {
    if (set !== undefined) return `[${not === "!" ? "^" : ""}${set.replace(/[\\\]^]/g, "\\$&")}]`;
    if (part === "*") return "[^]*";
    return part === "?" ? "[^]" : `\\${part}`;
  });
  return new RegExp(`^${source}$`);
}

/**
 * The names in the catalogue that wanted names and globs stand for, each once.
 *
 * @throws {UsageError} where one stands for nothing
 */
export function matchNames(wanted: readonly string[], catalogue: Catalogue): string[] {
  const names = new Set<string>();
  for (const pattern of wanted) {
    if (catalogue.has(pattern)) {
      names.add(pattern);
      continue;
    }
    const expression = globExpression(pattern);
    const found = [...catalogue.keys()].filter((name) => expression.test(name)).sort();
    if (found.length === 0)
      throw new UsageError(`there is no task, group or tag ${pattern}; ${hint(pattern, catalogue)}`, { task: pattern });
    for (const name of found) names.add(name);
  }
  return [...names];
}

function hint(pattern: string, catalogue: Catalogue): string {
  if (catalogue.size === 0) return "the folders have no tasks at all, so check their paths";
  const near = [...catalogue.keys()].filter((name) => name.includes(pattern) || pattern.includes(name)).slice(0, 5);
  return near.length > 0 ? `there are ${near.join(", ")}` : "list the names that there are, or add the folder that has it";
}
