import { BadDataError, FailedPreconditionError, quoted } from "@mbs/contracts";
import { withoutFunctions } from "../configuration/task-settings.ts";
import { print } from "../python/print.ts";
import { matchAll, pythonExpression } from "../python/regular-expression.ts";
import { strip } from "../python/text.ts";
import { areEqual } from "../python/values.ts";
import { FunctionReference } from "../yaml/function-reference.ts";
import { asSettings, type Settings, type YamlValue } from "../yaml/read-yaml.ts";

export type AnswerFilter = (answer: string) => string;

/**
 * The steps from what a model wrote to the answer that is compared: the first pipeline of `filter_list`.
 *
 * @returns the filter, and the names of the other pipelines, whose results are not reported
 * @throws {FailedPreconditionError} naming a filter that this program does not have
 */
export function parseFilters(task: string, list: YamlValue | undefined): { filter: AnswerFilter; others: string[] } {
  if (list === undefined || list === null) return { filter: (answer) => answer, others: [] };
  const about = `filter_list of the task ${task}`;
  const [first, ...rest] = (Array.isArray(list) ? list : [list]).map((pipeline) => asSettings(pipeline, about));
  const steps = first?.get("filter");
  if (!Array.isArray(steps)) throw new BadDataError(`${about} has no list "filter"; add it`, { task });
  const filters: AnswerFilter[] = [];
  for (const [index, step] of steps.entries()) {
    const settings = asSettings(step, about);
    const name = settings.get("function");
    if (name === "take_first") {
      if (index < steps.length - 1)
        throw new FailedPreconditionError(`${about} has filters after take_first; put it last`, { task });
    } else {
      filters.push(parseFilter(name, settings, about));
    }
  }
  return {
    filter: (answer) => filters.reduce((text, filter) => filter(text), answer),
    others: rest.map((pipeline) => quoted(pipeline.get("name"))),
  };
}

function parseFilter(name: YamlValue | undefined, settings: Settings, about: string): AnswerFilter {
  switch (name) {
    case "lowercase":
      return (answer) => answer.toLowerCase();
    case "uppercase":
      return (answer) => answer.toUpperCase();
    case "remove_whitespace":
      return strip;
    // There is one answer a document, so the most frequent one is that.
    case "majority_vote":
    case "take_first_k":
      return (answer) => answer;
    case "map":
      return parseMap(settings, about);
    case "regex":
      return parseRegex(settings, about);
    default:
      throw new FailedPreconditionError(
        `${about} has the filter ${name instanceof FunctionReference ? name.toString() : quoted(name)}; there are regex, remove_whitespace, lowercase, uppercase, map, take_first, take_first_k and majority_vote`,
      );
  }
}

function parseMap(settings: Settings, about: string): AnswerFilter {
  const mapping = settings.get("mapping_dict") ?? new Map();
  if (!(mapping instanceof Map)) throw new BadDataError(`${about}: mapping_dict has to be a mapping`);
  const otherwise = print(withoutFunctions(settings.get("default_value") ?? null, about));
  const entries = Array.from(
    mapping,
    ([key, value]) => [withoutFunctions(key, about), print(withoutFunctions(value, about))] as const,
  );
  return (answer) => entries.find(([key]) => areEqual(key, answer))?.[1] ?? otherwise;
}

function parseRegex(settings: Settings, about: string): AnswerFilter {
  const pattern = settings.get("regex_pattern") ?? "#### (\\-?[0-9\\.\\,]+)";
  const group = settings.get("group_select") ?? 0;
  const fallback = settings.get("fallback") ?? "[invalid]";
  if (typeof pattern !== "string" || typeof group !== "number" || typeof fallback !== "string") {
    throw new BadDataError(`${about}: regex takes a text regex_pattern, a whole number group_select and a text fallback`);
  }
  const expression = pythonExpression(pattern, about);
  return (answer) => {
    const found = matchAll(expression, answer).at(group);
    if (found === undefined) return fallback;
    const [whole, ...groups] = found;
    if (groups.length === 0) return strip(whole ?? "");
    // Of several groups the first that is not empty; a single one may be.
    return strip(groups.find((text) => text !== undefined && text !== "") ?? (groups.length === 1 ? "" : fallback));
  };
}
