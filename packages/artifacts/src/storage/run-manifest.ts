import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { BadDataError, isObject } from "@mbs/contracts";
import { canonicalJson, parseJson } from "../json.ts";
import { writeAtomically } from "./atomic-file.ts";
import { isMissing, systemError } from "./system-error.ts";

/** Addresses of the outputs of one node, by name. */
export type NodeOutputs = Readonly<Record<string, string>>;

/** The key of a node: its stage, options and inputs. Equal work has equal keys at any time, on any machine. */
export function manifestKey(stage: string, options: unknown, inputs: Readonly<Record<string, readonly string[]>>): string {
  return createHash("sha256").update(canonicalJson({ stage, options, inputs })).digest("hex");
}

const isOutputs = (value: unknown): value is NodeOutputs =>
  isObject(value) && Object.values(value).every((address) => typeof address === "string" && /^[0-9a-f]{64}$/.test(address));

async function readNodes(path: string): Promise<Map<string, NodeOutputs>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (isMissing(cause)) return new Map();
    throw systemError(cause, "read", path);
  }
  const nodes = parseJson(text);
  if (!isObject(nodes) || !Object.values(nodes).every(isOutputs)) {
    throw new BadDataError(
      `${path} is no run manifest, or a damaged one; delete it and run again, which computes everything again, or start over with --force`,
      { path },
    );
  }
  return new Map(Object.entries(nodes) as [string, NodeOutputs][]);
}

/** What a run has finished, in a small JSON file: key of a node → addresses of its outputs. */
export class RunManifest {
  readonly #path: string;
  readonly #nodes: Map<string, NodeOutputs>;
  #writing: Promise<void> = Promise.resolve();
  /** A write that has not begun, which takes along all that is set until then. */
  #waiting: Promise<void> | undefined;

  private constructor(path: string, nodes: Map<string, NodeOutputs>) {
    this.#path = path;
    this.#nodes = nodes;
  }

  /**
   * Reads the manifest; a missing file is an empty one.
   *
   * @param forget whether a damaged file is an empty one too
   * @throws {BadDataError} on a damaged file
   */
  static async open(path: string, { forget = false } = {}): Promise<RunManifest> {
    const nodes = await readNodes(path).catch((cause: unknown) => {
      if (forget && cause instanceof BadDataError) return new Map<string, NodeOutputs>();
      throw cause;
    });
    return new RunManifest(path, nodes);
  }

  get(key: string): NodeOutputs | undefined {
    return this.#nodes.get(key);
  }

  /** Whether the run has made the artifact of this address. */
  made(address: string): boolean {
    return [...this.#nodes.values()].some((outputs) => Object.values(outputs).includes(address));
  }

  /**
   * Records a node; it is on the disk when this resolves, and the write takes along what is set in the meantime. One process at
   * a time writes a manifest (`withLock`).
   */
  set(key: string, outputs: NodeOutputs): Promise<void> {
    this.#nodes.set(key, outputs);
    const write = async (): Promise<void> => {
      this.#waiting = undefined;
      const text = JSON.stringify(Object.fromEntries(this.#nodes), undefined, 2);
      await writeAtomically(this.#path, [Buffer.from(`${text}\n`)], { force: true });
    };
    if (this.#waiting === undefined) {
      this.#waiting = this.#writing.then(write, write);
      this.#writing = this.#waiting;
    }
    return this.#waiting;
  }
}
