import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { BadDataError, isObject } from "@mbs/contracts";
import { isAddress } from "../content-address.ts";
import { canonicalJson, parseJson } from "../json.ts";
import { writeAtomically } from "./atomic-file.ts";
import { isMissing, systemError } from "./system-error.ts";

/** Addresses of the outputs of one node, by name. */
export type NodeOutputs = Readonly<Record<string, string>>;

/** The key of a node: its stage, options and inputs. Equal work has equal keys at any time, on any machine. */
export function manifestKey(stage: string, options: unknown, inputs: Readonly<Record<string, readonly string[]>>): string {
  return createHash("sha256").update(canonicalJson({ stage, options, inputs })).digest("hex");
}

const isOutputs = (value: unknown): value is NodeOutputs => isObject(value) && Object.values(value).every(isAddress);

const encodeNodes = (nodes: Iterable<readonly [string, NodeOutputs]>): string =>
  Array.from(nodes, (node) => `${JSON.stringify(Object.fromEntries([node]))}\n`).join("");

/** @returns undefined where the text is something else */
function decodeNodes(text: string): Map<string, NodeOutputs> | undefined {
  // earlier versions wrote one object over many lines
  const isOneObject = isObject(parseJson(text));
  // a line without an end was being appended when its process was killed: that node is run again
  const lines = isOneObject ? [text] : text.split("\n").slice(0, -1);
  const nodes = new Map<string, NodeOutputs>();
  for (const line of lines) {
    const value = parseJson(line);
    if (!isObject(value)) return undefined;
    for (const [key, outputs] of Object.entries(value)) {
      if (!isOutputs(outputs)) return undefined;
      nodes.set(key, outputs);
    }
  }
  return lines.length === 0 ? undefined : nodes;
}

/** What a file holds, and whether more can be added to its end. */
interface Found {
  readonly nodes: Map<string, NodeOutputs>;
  readonly isWhole: boolean;
}

async function readNodes(path: string): Promise<Found> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (isMissing(cause)) return { nodes: new Map(), isWhole: false };
    throw systemError(cause, "read", path);
  }
  const nodes = decodeNodes(text);
  if (nodes === undefined) {
    throw new BadDataError(
      `${path} is no run manifest, or a damaged one; delete it and run again, which computes everything again, or start over with --force`,
      { path },
    );
  }
  return { nodes, isWhole: text === encodeNodes(nodes) };
}

/** Adds text to the end of a file that is there, on the disk when it resolves. */
async function append(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_APPEND);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw systemError(cause, "write", path);
  }
}

/**
 * What a run has finished, in a small file: key of a node → addresses of its outputs, a line of JSON for each node. Lines are
 * added, so that a node costs the same in a plan of any length.
 */
export class RunManifest {
  readonly #path: string;
  readonly #nodes: Map<string, NodeOutputs>;
  /** Keys that no write has taken along. */
  readonly #unwritten = new Set<string>();
  /** Whether the file holds all other nodes, a line each: not where it is new, of an earlier version or cut, nor after a write that failed. */
  #isWhole: boolean;
  #writing: Promise<void> = Promise.resolve();
  /** A write that has not begun, which takes along all that is set until then. */
  #waiting: Promise<void> | undefined;

  private constructor(path: string, { nodes, isWhole }: Found) {
    this.#path = path;
    this.#nodes = nodes;
    this.#isWhole = isWhole;
  }

  /**
   * Reads the manifest; a missing file is an empty one.
   *
   * @param forget whether a damaged file is an empty one too
   * @throws {BadDataError} on a damaged file
   */
  static async open(path: string, { forget = false } = {}): Promise<RunManifest> {
    const found = await readNodes(path).catch((cause: unknown): Found => {
      if (forget && cause instanceof BadDataError) return { nodes: new Map(), isWhole: false };
      throw cause;
    });
    return new RunManifest(path, found);
  }

  get(key: string): NodeOutputs | undefined {
    return this.#nodes.get(key);
  }

  /** Whether the run has made the artifact of this address. */
  made(address: string): boolean {
    return [...this.#nodes.values()].some((outputs) => Object.values(outputs).includes(address));
  }

  /** Addresses of the outputs of this name, such as "layers", of all nodes in the order in which they ended. */
  addressesOf(output: string): readonly string[] {
    return [...this.#nodes.values()].flatMap((outputs) => outputs[output] ?? []);
  }

  /**
   * Records a node; it is on the disk when this resolves, and the write takes along what is set in the meantime. One process at
   * a time writes a manifest (`withLock`).
   */
  set(key: string, outputs: NodeOutputs): Promise<void> {
    // made again, as it was
    if (this.#isWhole && isDeepStrictEqual(this.#nodes.get(key), outputs)) return this.#writing;
    this.#nodes.set(key, outputs);
    this.#unwritten.add(key);
    if (this.#waiting === undefined) {
      const write = (): Promise<void> => this.#write();
      this.#waiting = this.#writing.then(write, write);
      this.#writing = this.#waiting;
    }
    return this.#waiting;
  }

  async #write(): Promise<void> {
    this.#waiting = undefined;
    const isWhole = this.#isWhole;
    this.#isWhole = false;
    const nodes = [...this.#unwritten].map((key) => [key, this.#nodes.get(key) ?? {}] as const);
    this.#unwritten.clear();
    if (isWhole) await append(this.#path, encodeNodes(nodes));
    else await writeAtomically(this.#path, [Buffer.from(encodeNodes(this.#nodes))], { force: true });
    this.#isWhole = true;
  }
}
