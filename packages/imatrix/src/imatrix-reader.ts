import { at, BadDataError } from "@mbs/contracts";
import type { GgufTensor } from "@mbs/gguf";
import { openGgufFile } from "@mbs/models";
import type { GgufFile } from "@mbs/models";
import { columnsInOrder, invertOrder } from "@mbs/numbers";
import type { ImatrixEntry } from "./imatrix-entries.ts";

/** What one matrix of a weight has read. */
export interface ReadSums {
  /** E[x²] of each channel, a mean over `tokens`. */
  readonly means: Float32Array;
  readonly tokens: number;
}

/** An importance matrix whose entries fit a model. */
export interface ImatrixReader {
  readonly path: string;
  /** As the file says it: "hi=1" for one language alone. */
  readonly datasets: readonly string[];
  /**
   * What one matrix of a weight has read.
   *
   * @param index of the expert, 0 for a weight without experts
   * @throws {BadDataError} on sums or counts that are negative or not finite, and on counts beyond 2⁵³
   */
  read(entry: ImatrixEntry, index: number): ReadSums;
  close(): void;
}

const remedy = "make it again, from this model";

/** Entries that llama-imatrix writes on request and that no site reads. */
const unread: ReadonlySet<string> = new Set(["output.weight", "token_embd.weight"]);

/** Sums of the inputs themselves, which newer versions of llama-imatrix write too. */
const parts = ["in_sum2", "counts", "in_sum"] as const;

type Part = (typeof parts)[number];

/** Weight and part of a tensor's name. */
function splitName(name: string): readonly [weight: string, part: Part] | undefined {
  const part = parts.find((ending) => name.endsWith(`.${ending}`));
  return part && [name.slice(0, -part.length - 1), part];
}

function readDatasets(file: GgufFile): readonly string[] {
  const type = file.metadata.get("general.type");
  if (type !== "imatrix") {
    throw new BadDataError(
      `${file.path}: general.type is ${type === undefined ? "absent" : JSON.stringify(type)}, not "imatrix"; name a file of llama-imatrix or mbs imatrix`,
      { file: file.path },
    );
  }
  const datasets = file.metadata.get("imatrix.datasets");
  return Array.isArray(datasets) ? datasets.map(String) : [];
}

/** Every tensor of the file by name, each of a weight that the model has. */
function indexTensors(file: GgufFile, entries: readonly ImatrixEntry[]): ReadonlyMap<string, GgufTensor> {
  const known = new Set(entries.map(({ name }) => name));
  const refuse = (tensor: string, problem: string): never => {
    throw new BadDataError(`${file.path}: tensor ${JSON.stringify(tensor)} ${problem}; ${remedy}`, { file: file.path, tensor });
  };
  for (const { name, type } of file.tensors) {
    const [weight] = splitName(name) ?? refuse(name, `is none of an imatrix, whose names end in ${parts.join(", ")}`);
    if (!known.has(weight) && !unread.has(weight)) refuse(name, "belongs to no weight of the model");
    if (type.name !== "F32") refuse(name, `is ${type.name}, not F32`);
  }
  const tensors = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  for (const { name, width, sites } of entries) {
    for (const [part, columns] of [
      ["in_sum2", width],
      ["counts", 1],
    ] as const) {
      const tensor = `${name}.${part}`;
      const shape = tensors.get(tensor)?.shape;
      if (shape === undefined) refuse(tensor, "is missing");
      // ggml leaves out sides of 1 at the end
      const [rows, found] = shape?.length === 1 ? [1, at(shape, 0)] : [shape?.[0], shape?.[1]];
      if (rows !== sites.length || found !== columns || (shape?.length ?? 0) > 2) {
        refuse(tensor, `has shape [${shape?.join(", ")}], in the model [${sites.length}, ${columns}]`);
      }
    }
  }
  return tensors;
}

/**
 * Opens an importance matrix of llama-imatrix or `mbs imatrix`.
 *
 * @param entries of the model that it belongs to
 * @throws {BadDataError} where it is no imatrix, cut short, or of another model
 */
export async function openImatrix(path: string, entries: readonly ImatrixEntry[]): Promise<ImatrixReader> {
  const file = await openGgufFile(path);
  try {
    const datasets = readDatasets(file);
    const tensors = indexTensors(file, entries);
    const values = (name: string, first: number, count: number): Float32Array => {
      const tensor = tensors.get(name);
      if (tensor === undefined)
        throw new BadDataError(`${path}: tensor ${name} is missing; ${remedy}`, { file: path, tensor: name });
      const bytes = new Uint8Array(4 * count);
      file.readInto(tensor, 4 * first, bytes);
      const read = new Float32Array(bytes.buffer);
      const wrong = read.findIndex((value) => !(value >= 0 && value < Infinity));
      if (wrong >= 0) {
        throw new BadDataError(`${path}: tensor ${name} has ${at(read, wrong)} at index ${first + wrong}; ${remedy}`, {
          file: path,
          tensor: name,
          index: first + wrong,
        });
      }
      return read;
    };
    const counts = new Map(entries.map(({ name, sites }) => [name, values(`${name}.counts`, 0, sites.length)]));
    // an expert's count is of the tokens that reached it, or of all: no count is of more tokens than there are
    const tokens = Math.max(...[...counts.values()].map((own) => Math.max(...own)));
    return {
      path,
      datasets,
      read({ name, width, columns, sites }, index) {
        const sums = values(`${name}.in_sum2`, index * width, width);
        const count = at(counts.get(name) ?? [], index);
        const own = Math.round(sites.length > 1 ? tokens : count);
        if (own < 1 || !Number.isSafeInteger(own)) {
          const what = own < 1 ? `${count}, a mean over no tokens` : `${own}, more tokens than can be counted`;
          throw new BadDataError(`${path}: ${name}.counts is ${what}; ${remedy}`, {
            file: path,
            tensor: name,
          });
        }
        const means = sums.map((sum) => sum / own);
        return { tokens: own, means: columns ? columnsInOrder(means, invertOrder(columns)) : means };
      },
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}
