import { BadDataError, FailedPreconditionError, quoted } from "@mbs/contracts";
import { pythonExpression, substitute } from "../python/regular-expression.ts";
import type { Settings } from "../yaml/read-yaml.ts";

/** 1 where an answer is one of the targets, else 0. */
export type Judge = (answer: string, targets: readonly string[]) => number;

const flags = ["ignore_case", "ignore_punctuation", "ignore_numbers"] as const;
const known = new Set<string>(["metric", "aggregation", "higher_is_better", "hf_evaluate", "regexes_to_ignore", ...flags]);

/** The metric exact_match, with what it ignores on both sides. `settings` is its entry in metric_list. */
export function parseExactMatch(task: string, settings: Settings): Judge {
  const about = `exact_match of the task ${task}`;
  for (const key of settings.keys())
    if (!known.has(key))
      throw new FailedPreconditionError(`${about} has the setting ${quoted(key)}; there are ${[...known].join(", ")}`, { task });
  const [ignoreCase, ignorePunctuation, ignoreNumbers] = flags.map((flag) => settings.get(flag) === true);
  const patterns = settings.get("regexes_to_ignore") ?? [];
  if (!Array.isArray(patterns)) throw new BadDataError(`${about}: regexes_to_ignore has to be a list`, { task });
  const expressions = patterns.map((pattern) => {
    if (typeof pattern !== "string") throw new BadDataError(`${about}: regexes_to_ignore has to be a list of texts`, { task });
    return pythonExpression(pattern, about);
  });
  const reduce = (text: string): string => {
    let rest = expressions.reduce((part, expression) => substitute(expression, "", part), text);
    if (ignoreCase === true) rest = rest.toLowerCase();
    if (ignorePunctuation === true) rest = rest.replace(/[!-/:-@[-`{-~]/g, "");
    return ignoreNumbers === true ? rest.replace(/[0-9]/g, "") : rest;
  };
  return (answer, targets) => {
    const reduced = reduce(answer);
    return targets.some((target) => reduce(target) === reduced) ? 1 : 0;
  };
}
