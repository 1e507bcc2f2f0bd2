import { firstOutput, isOptional, optionFlag } from "@mbs/contracts";
import type { Device, OptionTable, Stage, StageOptions } from "@mbs/contracts";

/** Quotes a word for a POSIX shell where it needs it. */
export const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

function optionWords(table: OptionTable, name: string, value: unknown): string[] {
  const flag = optionFlag(name);
  if (value === undefined) return [];
  const option = table[name];
  if (typeof value === "boolean") {
    const absent = option?.optional === true ? undefined : (option?.default ?? false);
    if (value === absent) return [];
    return [value ? flag : flag.replace(/^--/, "--no-")];
  }
  if (Array.isArray(value)) {
    const words = value.map(String);
    return option?.kind === "resource" ? words.flatMap((word) => [flag, word]) : [flag, words.join(",")];
  }
  return [flag, typeof value === "string" ? value : JSON.stringify(value)];
}

/** What a command needs to know of one node. */
export interface ReplayNode {
  /** All options that the stage takes for the ones given. */
  readonly table: OptionTable;
  readonly options: StageOptions;
  /** Input name → paths of artifacts. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  /** Path of the output: a file, or a folder for stages that make one. */
  readonly output: string;
  readonly threads: number;
  /** Absent: the processor. */
  readonly device?: Device | undefined;
}

/**
 * The shell command that runs a node again on its artifacts.
 *
 * @returns one line, "mbs capture --model M --threads 2 < states.arrow > capture.h.0.arrow"
 */
export function replayCommand(stage: Stage, node: ReplayNode): string {
  const words = [
    "mbs",
    ...(stage.loadedFrom === undefined ? [stage.name] : ["--stage", stage.loadedFrom]),
    ...Object.entries(node.options).flatMap(([name, value]) => optionWords(node.table, name, value)),
  ];
  const [main, ...others] = Object.entries(stage.inputs);
  const [first, ...further] = main === undefined ? [] : (node.inputs[main[0]] ?? []);
  for (const [name] of others) words.push(...(node.inputs[name] ?? []).flatMap((path) => [optionFlag(name), path]));
  if (main !== undefined && first !== undefined) {
    const [name, input] = main;
    // standard input is read without being asked for where there must be an artifact, and further ones are not named
    if (further.length > 0 || isOptional(input, node.options)) words.push("-");
    words.push(...further.flatMap((path) => [optionFlag(name), path]));
  }
  words.push("--threads", String(node.threads));
  if (node.device !== undefined) words.push("--device", node.device);
  const folder = firstOutput(stage).folder === true;
  if (folder) words.push("--output", node.output);
  const command = words.map(shellWord).join(" ");
  const input = first === undefined ? "" : ` < ${shellWord(first)}`;
  return folder ? `${command}${input}` : `${command}${input} > ${shellWord(node.output)}`;
}
