import { parseBytes } from "@mbs/contracts";
import type { OptionTable, OptionValues } from "@mbs/contracts";
import { gateOptions } from "@mbs/evaluation";
import { roundsNothing, typeMixes } from "@mbs/gguf";
import { memoryOption, offlineOption, runDeviceOption, runThreadsOption } from "@mbs/host-cli";
import { shrinkFormats } from "./defaults.ts";
import { parseDuration } from "./duration.ts";

const limits = { maxWorstRise: gateOptions.maxWorstRise, maxKl: gateOptions.maxKl, by: gateOptions.by } as const;

/** What `mbs shrink` takes. */
export const shrinkOptions = {
  languages: {
    kind: "list",
    optional: true,
    placeholder: "LANG,…",
    description:
      "languages to protect, such as hi,en,km; the others stay in the model; without it those of the model's known training mixture, at most 16",
  },
  favour: { kind: "list", optional: true, placeholder: "LANG,…", description: "languages among them that count double" },
  onlyLanguages: { kind: "flag", description: "leave out the tokens of all other languages, often the largest part of a model" },
  size: {
    kind: "text",
    placeholder: "SIZE",
    optional: true,
    check: (text: string) => parseBytes(text, "--size"),
    excludes: ["bits", "type"],
    description: "size of the file at most, such as 160MB",
  },
  bits: {
    kind: "choice",
    choices: ["4", "3", "2"],
    optional: true,
    excludes: ["size", "type"],
    description: "bits of a weight, by name: the plan has the true ones; default: 4",
  },
  type: {
    kind: "choice",
    choices: [...typeMixes.keys()].filter((name) => !roundsNothing(name)),
    optional: true,
    excludes: ["size", "bits"],
    description: "type mix of GGUF, as llama-quantize calls it",
  },
  to: { kind: "choice", choices: shrinkFormats, default: "gguf", description: "what is written" },
  texts: {
    kind: "resource",
    resource: "corpus",
    optional: true,
    description:
      "texts by language: a folder of files such as hi.txt, a YAML manifest, or hf:datasets/…; a part is kept to score on; without it texts that come with this program, in 460 languages",
  },
  within: {
    kind: "text",
    placeholder: "TIME",
    optional: true,
    check: parseDuration,
    description: "time that it may take, such as 20m or 2h: fewer texts are read where it would take longer",
  },
  ...limits,
  output: { kind: "text", optional: true, placeholder: "FOLDER", description: "folder of all results; default: NAME-TARGET" },
  dryRun: { kind: "flag", description: "show the plan and print the recipe; run nothing, and write nothing" },
  threads: runThreadsOption,
  device: runDeviceOption,
  memory: memoryOption,
  force: { kind: "flag", description: "start over, replacing what an earlier run with other options has left" },
  json: { kind: "flag", description: "print scores and sizes as JSON" },
  offline: offlineOption,
} as const satisfies OptionTable;

export type ShrinkOptions = OptionValues<typeof shrinkOptions>;

/** Limits as a recipe has them; undefined without any. */
export function gateOf({ maxWorstRise, maxKl, by }: ShrinkOptions): Readonly<Record<string, unknown>> | undefined {
  if (maxWorstRise === undefined && maxKl === undefined) return undefined;
  return Object.fromEntries(Object.entries({ maxWorstRise, maxKl, by }).filter(([, value]) => value !== undefined));
}

/** The folder of results where none is named. @param name of the model */
export const defaultOutput = (name: string, { size, bits, type, to }: ShrinkOptions): string =>
  `${name}-${[...(to === "gguf" ? [] : [to]), size ?? type ?? `${bits ?? "4"}bit`].join("-")}`;
