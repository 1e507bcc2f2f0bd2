import { collect, parseMetadata, readScores } from "@mbs/artifacts";
import { LimitExceededError, UsageError, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { checkGate, readScoredModels, scoresReport } from "@mbs/evaluation";
import type { GateCheck } from "@mbs/evaluation";
import { openInput, optionsToFlags, printText } from "@mbs/host-cli";
import { escapeHtml, formatInterval, formatNumber, formatRise } from "@mbs/reporting";
import { Argument } from "commander";
import type { Command } from "commander";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { requireTargets, writeTarget } from "./target-files.ts";

/** "5%" or "0.05" → 0.05. */
function parseShare(text: string): number {
  const [, digits, percent] = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text) ?? [];
  if (digits === undefined)
    throw new UsageError(`--max-worst-rise takes 5% or 0.05, not ${text}`, { option: "--max-worst-rise" });
  return Number(digits) / (percent === "%" ? 100 : 1);
}

const options = {
  maxWorstRise: {
    kind: "text",
    optional: true,
    placeholder: "SHARE",
    description: "most that perplexity may rise above the dense model's in any language: 5% or 0.05",
    check: parseShare,
  },
  maxKl: {
    kind: "number",
    optional: true,
    minimum: 0,
    description: "most that the mean KL divergence from the dense model may be in any language, nats a token",
  },
  by: {
    kind: "choice",
    choices: ["point", "interval"],
    default: "point",
    description: "what exceeds a limit: the measured value, or all of its 95% interval",
  },
  junit: { kind: "text", optional: true, placeholder: "FILE", description: "also write the checks as JUnit XML" },
  github: { kind: "flag", description: "print annotations of GitHub Actions" },
  json: { kind: "flag", description: "print JSON" },
  force: { kind: "flag", description: "replace existing outputs" },
} as const satisfies OptionTable;

/** "perplexity +8.2% (+7.1 … +9.4%), limit +5.0%". */
function describe({ figure, value, interval, limit }: GateCheck): string {
  if (figure === "rise") return `perplexity ${formatRise(value)} (${formatInterval(interval)}), limit ${formatRise(limit)}`;
  const [low, high] = interval.map(formatNumber);
  return `KL ${formatNumber(value)} nats a token${Number.isNaN(interval[0]) ? "" : ` (${low} … ${high})`}, limit ${formatNumber(limit)}`;
}

const lineOf = (check: GateCheck): string => `${check.model}, ${check.language}: ${describe(check)}`;

/** One test case a model, language and figure. */
function junitXml(checks: readonly GateCheck[]): string {
  const failed = checks.filter(({ exceeds }) => exceeds).length;
  const cases = checks.map((check) => {
    const name = `classname="${escapeHtml(check.model)}" name="${escapeHtml(`${check.language} ${check.figure}`)}"`;
    return check.exceeds
      ? `  <testcase ${name}><failure message="${escapeHtml(describe(check))}"/></testcase>`
      : `  <testcase ${name}/>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="mbs gate" tests="${checks.length}" failures="${failed}">\n${cases.join("\n")}\n</testsuite>\n`;
}

/** Text of a workflow command: what would end it is escaped. */
const annotation = (check: GateCheck): string =>
  `::error title=mbs gate::${lineOf(check).replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A")}`;

function textOf(checks: readonly GateCheck[], github: boolean): string {
  const exceeding = checks.filter(({ exceeds }) => exceeds);
  if (exceeding.length === 0) return `all ${checks.length} figures are within their limits\n`;
  return `${exceeding.map(github ? annotation : lineOf).join("\n")}\n`;
}

/** `mbs gate`: ends with 1 where a model loses more than it may in some language. */
export function gateCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "gate",
    "Check scores against limits: ends with 1 and names the languages where a compressed model loses more.",
    [
      "mbs gate scores.arrow --max-worst-rise 5%",
      "mbs gate scores.arrow --max-worst-rise 5% --max-kl 0.1 --by interval --junit gate.xml --github",
    ],
  ).addArgument(new Argument("<file>", "scores, the dense model first; - is standard input"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (file: string) => {
    const { quiet: _quiet, debug: _debug, ...given } = command.opts<Record<string, unknown>>();
    const { maxWorstRise, maxKl, by, junit, github, json, force } = parseOptions(options, given, "gate");
    if (junit !== undefined) await requireTargets([junit], [file], force);
    const stream = await openInput(file, "scores", signal);
    const { shares, models } = parseMetadata("scores", stream.schema);
    const report = scoresReport(await collect(readScores(stream)), shares, undefined, readScoredModels(models));
    const checks = checkGate(report, {
      ...(maxWorstRise !== undefined && { maxWorstRise: parseShare(maxWorstRise) }),
      ...(maxKl !== undefined && { maxKl }),
      by,
    });
    if (junit !== undefined) await writeTarget(junit, junitXml(checks), force);
    await printText(json ? `${JSON.stringify({ checks }, null, 2)}\n` : textOf(checks, github));
    const failed = checks.filter(({ exceeds }) => exceeds).length;
    if (failed > 0) throw new LimitExceededError(`${failed} of ${checks.length} figures exceed their limits`, { failed });
  });
}
