import { parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable, OptionValues } from "@mbs/contracts";
import {
  createReporter,
  deviceOption,
  findDevice,
  forbidNetwork,
  noteOwnDevice,
  offlineOption,
  optionsToFlags,
  printText,
  progressStyle,
  threadsOption,
} from "@mbs/host-cli";
import { generate, openModel, readAsZero } from "@mbs/models";
import { Argument } from "commander";
import type { Command } from "commander";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "model folder" },
  sourceLanguage: {
    kind: "text",
    optional: true,
    description: "translate: language of the text, for models that read it (M2M-100, NLLB, mBART)",
  },
  targetLanguage: { kind: "text", optional: true, description: "translate: language of the translation" },
  tokens: { kind: "integer", description: "tokens to add at most", minimum: 1, maximum: 4096, default: 24 },
  allowNonfinite: { kind: "flag", description: "read NaN and Inf weights as 0 instead of stopping" },
  threads: threadsOption,
  device: deviceOption,
  offline: offlineOption,
} as const satisfies OptionTable;

/** @throws {UsageError} where one of the two is missing */
function languagesOf({ sourceLanguage: source, targetLanguage: target }: OptionValues<typeof options>) {
  if (source === undefined && target === undefined) return undefined;
  if (source !== undefined && target !== undefined) return { source, target };
  throw new UsageError("--source-language and --target-language go together: give both, or none", {
    option: source === undefined ? "--source-language" : "--target-language",
  });
}

/** `mbs generate`: the likeliest continuation of a text. */
export function generateCommand({ signal }: CommandContext): Command {
  const command = plainCommand("generate", "Complete or translate a text, always with the likeliest token.", [
    'mbs generate --model out/ "The capital of France"',
    'mbs generate --model out/ --tokens 40 "Ang unang hakbang"',
    'mbs generate --model nllb/ --source-language en --target-language de "The window is open."',
  ]).addArgument(new Argument("<text>", "beginning of the text, or the text to translate"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (text: string) => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const values = parseOptions(options, given, "generate");
    const languages = languagesOf(values);
    if (values.offline) forbidNetwork();
    const reporter = createReporter("mbs generate", progressStyle(quiet));
    const model = await openModel(values.model, { allowNonfinite: values.allowNonfinite });
    try {
      const device = await findDevice(values.device, values.threads, reporter.note);
      const made = await generate(model, text, values.tokens, {
        threads: values.threads,
        device,
        signal,
        ...(languages && { languages }),
      });
      if (device !== "cpu") await noteOwnDevice(reporter.note);
      for (const line of readAsZero(model)) reporter.warn(line);
      await printText(`${languages === undefined ? text : ""}${made}\n`);
    } finally {
      reporter.stop();
      await model.close();
    }
  });
}
