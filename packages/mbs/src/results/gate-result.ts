import { LimitExceededError } from "@mbs/contracts";
import type { GateCheck } from "@mbs/evaluation";
import {
  escapeHtml,
  formatAgreement,
  formatInterval,
  formatNumber,
  formatNumberInterval,
  formatRise,
  formatShareInterval,
} from "@mbs/reporting";

const inBrackets = (interval: GateCheck["interval"], text: string): string => (Number.isNaN(interval[0]) ? "" : ` (${text})`);

/** A difference of shares: 0.091 → "+9.1". */
const points = (share: number): string => formatRise(share).slice(0, -1);

/** "perplexity +8.2% (+7.1 … +9.4%), limit +5.0%". */
function describe({ figure, value, interval, limit }: GateCheck): string {
  switch (figure) {
    case "rise":
      return `perplexity ${formatRise(value)} (${formatInterval(interval)}), limit ${formatRise(limit)}`;
    case "kl":
      return `KL ${formatNumber(value)} nats a token${inBrackets(interval, formatNumberInterval(interval))}, limit ${formatNumber(limit)}`;
    case "task":
      return `${formatAgreement(value)} right${inBrackets(interval, formatShareInterval(interval))}, least ${formatAgreement(limit)}`;
    case "task-loss":
      return `${points(-value)} points of right answers against the dense model${inBrackets(interval, `${points(-interval[1])} … ${points(-interval[0])}`)}, limit ${points(-limit)}`;
  }
}

/** The checks of a run's own model, without those of models that are scored beside it. @param beside their labels */
export const ofRun = (checks: readonly GateCheck[], beside: readonly string[]): readonly GateCheck[] =>
  checks.filter(({ model }) => !beside.includes(model));

/** What a check is of: the task with its language, or the language alone. */
const subjectOf = ({ language, task }: GateCheck): string =>
  task === undefined ? language : language === "" ? task : `${task} (${language})`;

const lineOf = (check: GateCheck): string => `${check.model}, ${subjectOf(check)}: ${describe(check)}`;

/** One test case a model, language or task, and figure. */
export function junitXml(checks: readonly GateCheck[]): string {
  const failed = checks.filter(({ exceeds }) => exceeds).length;
  const cases = checks.map((check) => {
    const name = `classname="${escapeHtml(check.model)}" name="${escapeHtml(`${subjectOf(check)} ${check.figure}`)}"`;
    return check.exceeds
      ? `  <testcase ${name}><failure message="${escapeHtml(describe(check))}"/></testcase>`
      : `  <testcase ${name}/>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="mbs gate" tests="${checks.length}" failures="${failed}">\n${cases.join("\n")}\n</testsuite>\n`;
}

/** Text of a workflow command of GitHub Actions: what would end it is escaped. */
const annotation = (check: GateCheck): string =>
  `::error title=mbs gate::${lineOf(check).replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A")}`;

/** What value, interval and limit of a figure count. A share of 0.05 is 5%. */
const unitOf = ({ figure }: GateCheck): string => (figure === "kl" ? "nats a token" : "share");

/** The checks for a program, each with its unit. */
export const gateJson = (checks: readonly GateCheck[]): string =>
  `${JSON.stringify({ checks: checks.map((check) => ({ ...check, unit: unitOf(check) })) }, null, 2)}\n`;

/** Whether the measured value is beyond the limit, which by intervals is not enough. */
const isBeyond = ({ figure, value, limit }: GateCheck): boolean => (figure === "task" ? value < limit : value > limit);

/** "languages", "tasks" or both, whatever the checks are of. */
function subjectsOf(checks: readonly GateCheck[]): string {
  const ofTasks = checks.filter(({ task }) => task !== undefined).length;
  if (ofTasks === 0) return "languages";
  return ofTasks === checks.length ? "tasks" : "languages and tasks";
}

/** "wanda: failed in 2 of 8 languages" of each model, where there are several. */
function modelLines(checks: readonly GateCheck[]): readonly string[] {
  const models = [...new Set(checks.map(({ model }) => model))];
  if (models.length < 2) return [];
  return models.map((model) => {
    const own = checks.filter((check) => check.model === model);
    const subjects = new Set(own.map(subjectOf));
    const failed = new Set(own.filter(({ exceeds }) => exceeds).map(subjectOf));
    return `${model}: ${failed.size === 0 ? "passed" : `failed in ${failed.size} of ${subjects.size} ${subjectsOf(own)}`}`;
  });
}

function figureLines(checks: readonly GateCheck[], github: boolean): readonly string[] {
  const exceeding = checks.filter(({ exceeds }) => exceeds);
  if (exceeding.length > 0) return exceeding.map(github ? annotation : lineOf);
  const beyond = checks.filter(isBeyond);
  if (beyond.length === 0) return [`all ${checks.length} figures are within their limits`];
  return [
    `no interval of ${checks.length} figures is beyond its limit, but ${beyond.length} measured values are:`,
    ...beyond.map(lineOf),
  ];
}

/** A line for each figure beyond its limit, and of several models one for each. */
export const gateText = (checks: readonly GateCheck[], github = false): string =>
  [...figureLines(checks, github), ...modelLines(checks)].map((line) => `${line}\n`).join("");

/** @throws {LimitExceededError} where a figure is beyond its limit */
export function requireLimits(checks: readonly GateCheck[]): void {
  const failed = checks.filter(({ exceeds }) => exceeds).length;
  if (failed > 0) throw new LimitExceededError(`${failed} of ${checks.length} figures exceed their limits`, { failed });
}
