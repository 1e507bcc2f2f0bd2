import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { isObject } from "@mbs/contracts";
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

/** What a file holds. */
interface Found {
  readonly nodes: Map<string, NodeOutputs>;
  /** Whether more can be added to its end: not where it is missing, cut or damaged. */
  readonly isWhole: boolean;
  readonly isDamaged: boolean;
}

/** Reads the lines that are whole: what the others named is made again. */
function decodeNodes(text: string): Found {
  const nodes = new Map<string, NodeOutputs>();
  // a line without an end was being appended when its process was killed: that is no damage
  const lines = text.split("\n").slice(0, -1);
  let isDamaged = lines.length === 0;
  for (const line of lines) {
    const value = parseJson(line);
    const entries = isObject(value) ? Object.entries(value) : [];
    for (const [key, outputs] of entries) if (isOutputs(outputs)) nodes.set(key, outputs);
    isDamaged ||= entries.length === 0 || !entries.every(([, outputs]) => isOutputs(outputs));
  }
  return { nodes, isWhole: text === encodeNodes(nodes), isDamaged };
}

async function readNodes(path: string): Promise<Found> {
  try {
    return decodeNodes(await readFile(path, "utf8"));
  } catch (cause) {
    if (isMissing(cause)) return { nodes: new Map(), isWhole: false, isDamaged: false };
    throw systemError(cause, "read", path);
  }
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
  /** Whether the file held something else than nodes when it was opened. */
  readonly isDamaged: boolean;
  readonly #path: string;
  readonly #nodes: Map<string, NodeOutputs>;
  /** Keys that no write has taken along. */
  readonly #unwritten = new Set<string>();
  /** Whether the file holds all other nodes, a line each: not where it is new, cut or damaged, nor after a write that failed. */
  #isWhole: boolean;
  #writing: Promise<void> = Promise.resolve();
  /** A write that has not begun, which takes along all that is set until then. */
  #waiting: Promise<void> | undefined;

  private constructor(path: string, { nodes, isWhole, isDamaged }: Found) {
    this.#path = path;
    this.#nodes = nodes;
    this.#isWhole = isWhole;
    this.isDamaged = isDamaged;
  }

  /** Reads the manifest; a missing file is an empty one, and of a damaged one the lines that are whole count. */
  static async open(path: string): Promise<RunManifest> {
    return new RunManifest(path, await readNodes(path));
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
