import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { commands } from "../../packages/mbs/src/commands.ts";
import { stages } from "../../packages/mbs/src/stages.ts";
import type { Recorded } from "./compare-records.ts";
import { fingerprintArtifact, fingerprintFolder } from "./fingerprint.ts";

/** What one line made. */
export interface Made {
  /** Where its output is; undefined where it prints alone. */
  readonly path: string | undefined;
  /** Its fingerprint. */
  readonly made: Recorded;
  /** Content addresses by the names that they get in a record. */
  readonly addresses: readonly string[];
}

/** Lines of progress and of time, which differ from run to run. */
const timed =
  /, \d+(?: of \d+)? \S+(?:, .* left)?$|^\d+ (?:blocks|nodes) in \d|is what another run of this recipe goes on from|^The \d+ mixes took /;

/** Runs commands in this process as their command lines say, and keeps what is printed. */
export class CommandLine {
  readonly #work: string;
  readonly #log: number;
  #read = 0;
  /** Each line is run once, whichever cases have it. */
  readonly #made = new Map<string, Promise<Made>>();

  /** @param log the file that is this process's standard output */
  constructor(work: string, log: string) {
    this.#work = work;
    this.#log = openSync(log, "r");
  }

  close(): void {
    closeSync(this.#log);
  }

  /** Puts paths in place of the names of files (`< factors`, `@layers`) and of WORK. */
  withPaths(text: string, files: ReadonlyMap<string, string>): string {
    const named = text.replaceAll(/(?:(?<=< )|@)[\w-]+/g, (name) => files.get(name.replace("@", "")) ?? name);
    return named.replaceAll("WORK", this.#work);
  }

  /**
   * Runs a line such as `compress --model M < factors > layers`, as a shell would, once.
   *
   * @param files paths of what earlier lines made, by name
   */
  run(line: string, files: ReadonlyMap<string, string>): Promise<Made> {
    const known = this.withPaths(line, files);
    const key = createHash("sha256").update(known).digest("hex").slice(0, 16);
    const made = this.#made.get(key) ?? this.#runOnce(known, join(this.#work, key));
    this.#made.set(key, made);
    return made;
  }

  async #runOnce(line: string, folder: string): Promise<Made> {
    const [name = "", ...words] = line.trim().split(/\s+/);
    const stage = await stages.get(name)?.load();
    const input = Object.keys(stage?.inputs ?? {})[0];
    const argv: string[] = [];
    let path: string | undefined;
    for (let at = 0; at < words.length; at += 1) {
      const word = words[at] ?? "";
      const next = words[at + 1] ?? "";
      if (word === "<") argv.push(`--${input}`, next);
      else if (word === ">") argv.push("--output", (path = join(folder, next)));
      else argv.push(word);
      if (word === "<" || word === ">") at += 1;
    }
    if (stage !== undefined && !argv.includes("--threads")) argv.push("--threads", "1");
    await mkdir(folder, { recursive: true });
    const printed = await this.execute(name, argv);
    const found = path === undefined || !existsSync(path) ? undefined : path;
    if (found === undefined) return { path, made: { printed }, addresses: [] };
    if (statSync(found).isDirectory()) return { path, made: { printed, files: await fingerprintFolder(found) }, addresses: [] };
    const { address, made } = await fingerprintArtifact(found);
    return { path, made: { printed, artifact: made }, addresses: [address] };
  }

  /** Runs a command. @returns what it printed and said */
  async execute(name: string, argv: readonly string[]): Promise<string> {
    const entry = commands.get(name);
    if (entry === undefined) throw new Error(`no command ${name}`);
    const { stderr } = process;
    const write = stderr.write.bind(stderr);
    let said = "";
    stderr.write = (text: string | Uint8Array): boolean => {
      said += String(text);
      return true;
    };
    try {
      const command = await (await entry.load())({ argv, signal: new AbortController().signal });
      await command.parseAsync([...argv], { from: "user" });
    } catch (cause) {
      throw new Error(`mbs ${name} ${argv.join(" ")}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    } finally {
      stderr.write = write;
    }
    const lines = `${said}${this.#printed()}`.split("\n");
    return lines.filter((line) => !timed.test(line)).join("\n");
  }

  /** What has come to standard output since the last call. */
  #printed(): string {
    const { size } = fstatSync(this.#log);
    const bytes = Buffer.alloc(size - this.#read);
    readSync(this.#log, bytes, 0, bytes.length, this.#read);
    this.#read = size;
    return bytes.toString();
  }
}
