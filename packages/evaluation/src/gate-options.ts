import { parseOptions, parseShare, UsageError, type OptionTable } from "@mbs/contracts";
import type { GateLimits } from "./gate.ts";

/** Nobody has more than all answers right. */
const most = 1;

/** "0.3" → every task; "belebele=30%" → one task or group. */
function parseLeast(entries: readonly string[]): ReadonlyMap<string, number> {
  const limits = entries.map((entry): [string, number] => {
    const at = entry.lastIndexOf("=");
    const share = parseShare(entry.slice(at + 1), "--min-task", most);
    if (at === 0) {
      throw new UsageError(`--min-task takes a share of right answers, NAME=40% or 40% for every task, not ${entry}`, {
        option: "--min-task",
      });
    }
    return [at < 0 ? "*" : entry.slice(0, at), share];
  });
  if (new Set(limits.map(([name]) => name)).size < limits.length) {
    throw new UsageError("--min-task names a task twice; give each once", { option: "--min-task" });
  }
  return new Map(limits);
}

/** The limits of `mbs gate`, and of the key `gate` of a recipe. */
export const gateOptions = {
  maxWorstRise: {
    kind: "text",
    optional: true,
    placeholder: "SHARE",
    description: "most that perplexity may rise above the dense model's in any language: 5% or 0.05",
    check: (text: string) => parseShare(text, "--max-worst-rise"),
  },
  maxKl: {
    kind: "number",
    optional: true,
    minimum: 0,
    description: "most that the mean KL divergence from the dense model may be in any language, nats a token",
  },
  minTask: {
    kind: "list",
    optional: true,
    placeholder: "NAME=SHARE,…",
    check: parseLeast,
    description: "least share of right answers, of a task or a group (belebele=40%), or of every task (40%)",
  },
  maxTaskLoss: {
    kind: "text",
    optional: true,
    placeholder: "SHARE",
    description: "most that the share of right answers of any task may lie below the dense model's: 2% is 2 points",
    check: (text: string) => parseShare(text, "--max-task-loss", most),
  },
  by: {
    kind: "choice",
    choices: ["point", "interval"],
    default: "point",
    description: "what is beyond a limit: the measured value, or all of its 95% interval",
  },
} as const satisfies OptionTable;

/**
 * The limits that options name.
 *
 * @param raw by the names of `gateOptions`
 * @throws {UsageError} on an unknown option, or a value that is no share
 */
export function parseGate(raw: unknown, where: string): GateLimits {
  const { maxWorstRise, maxKl, minTask, maxTaskLoss, by } = parseOptions(gateOptions, raw, where);
  return {
    maxWorstRise: maxWorstRise === undefined ? undefined : parseShare(maxWorstRise, "--max-worst-rise"),
    maxKl,
    minTask: minTask === undefined ? undefined : parseLeast(minTask),
    maxTaskLoss: maxTaskLoss === undefined ? undefined : parseShare(maxTaskLoss, "--max-task-loss", most),
    by,
  };
}
