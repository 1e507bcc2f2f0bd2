import { spawn } from "node:child_process";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import type { Test } from "uvu";
import * as assert from "uvu/assert";

export const bin = fileURLToPath(new URL("../../bin/mbs.js", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Contents of standard input; closed at once without. */
  readonly input?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory. */
  readonly cwd?: string;
  /** Put before node and its arguments, such as a shell that sets a limit. */
  readonly before?: readonly string[];
  readonly uid?: number;
}

/** Runs the built command, with a minute at most: a hang is a failure, not a stop of all tests. */
export async function mbs(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const [program = "", ...rest] = [...(options.before ?? []), process.execPath, bin, ...args];
  const child = spawn(program, rest, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "", ...options.env },
    timeout: 60_000,
    killSignal: "SIGKILL",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString("latin1")));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout, stderr };
}

/** Runs the command where it must go well. */
export async function done(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const ended = await mbs(args, options);
  assert.is(ended.code, 0, `mbs ${args.join(" ")}: ${ended.stderr}`);
  return ended;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * Runs the command where it must refuse: the exit code, exactly one line on standard error, nothing on standard output
 * and nothing at the output's place.
 *
 * @param output where `--output` points to
 */
export async function refused(
  args: readonly string[],
  code: number,
  message: RegExp,
  options: CommandOptions & { readonly output?: string } = {},
): Promise<void> {
  const { output } = options;
  const ended = await mbs(output === undefined ? args : [...args, "--output", output], options);
  assert.is(ended.code, code, `mbs ${args.join(" ")}: ${ended.stderr}`);
  assert.match(ended.stderr, message);
  assert.match(ended.stderr, /^mbs[^\n]*\n$/, "one line, with its end");
  assert.is(ended.stdout, "");
  if (output !== undefined) assert.not(await exists(output), `something lies at ${output}`);
}

export interface Place {
  /** Removed in the end. */
  readonly folder: string;
  /** A random model with two steps and one token a byte. */
  readonly model: string;
  /** English and Marathi as plain text, 60 documents each. */
  readonly corpus: string;
  /** A name in the folder that nothing has. */
  readonly path: (name: string) => string;
}

const texts = (language: string): string =>
  Array.from({ length: 60 }, (_, index) => `${language} document ${index} says ${index * 7919} and goes on for a while\n`).join(
    "\n",
  );

/** A suite with a folder, a model and a corpus of its own. */
export function faultSuite(name: string): Test<Place> {
  const test = suite<Place>(name);
  test.before(async (context) => {
    const folder = await mkdtemp(join(tmpdir(), "mbs-faults-"));
    const path = (part: string): string => join(folder, part);
    Object.assign(context, { folder, path, model: path("model"), corpus: path("corpus") });
    await writeTinyModel(context.model);
    await mkdir(context.corpus);
    for (const language of ["en", "mr"]) await writeFile(join(context.corpus, `${language}.txt`), texts(language));
  });
  test.after(({ folder }) => rm(folder, { recursive: true, force: true }));
  return test;
}

/** The arguments of a small sample. */
export const sampling = (model: string, corpus: string, ...more: readonly string[]): readonly string[] => [
  "sample",
  `--model=${model}`,
  `--corpus=${corpus}`,
  "--mix=equal",
  "--segments=4",
  "--length=32",
  ...more,
];
