import { parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { checkGate, gateOptions, parseGate, readScoresReport } from "@mbs/evaluation";
import { openInput, optionsToFlags, printText } from "@mbs/host-cli";
import { Argument } from "commander";
import type { Command } from "commander";
import { gateJson, gateText, junitXml, requireLimits } from "../results/gate-result.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { requireTargets, writeTarget } from "./target-files.ts";

const options = {
  ...gateOptions,
  junit: { kind: "text", optional: true, placeholder: "FILE", description: "also write the checks as JUnit XML" },
  github: { kind: "flag", description: "print annotations of GitHub Actions" },
  json: { kind: "flag", description: "print JSON" },
  force: { kind: "flag", description: "replace existing outputs" },
} as const satisfies OptionTable;

/** `mbs gate`: ends with 1 where a model loses more than it may in some language or task. */
export function gateCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "gate",
    "Check scores against limits: ends with 1 and names the languages and tasks where a compressed model loses more.",
    [
      "mbs gate scores.arrow --max-worst-rise 5%",
      "mbs gate scores.arrow --max-worst-rise 5% --max-kl 0.1 --by interval --junit gate.xml --github",
      "mbs gate scores.arrow --min-task belebele=40% --max-task-loss 2%",
    ],
  ).addArgument(new Argument("<file>", "scores, the dense model first; - is standard input"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (file: string) => {
    const { quiet: _quiet, debug: _debug, ...given } = command.opts<Record<string, unknown>>();
    const { junit, github, json, force, ...limits } = parseOptions(options, given, "gate");
    const parsed = parseGate(limits, "gate");
    if (junit !== undefined) await requireTargets([junit], [file], force);
    const checks = checkGate(await readScoresReport(await openInput(file, { what: "scores" }, signal)), parsed);
    if (junit !== undefined) await writeTarget(junit, junitXml(checks), force);
    await printText(json ? gateJson(checks) : gateText(checks, github));
    requireLimits(checks);
  });
}
