import { createHash } from "node:crypto";
import { relative, sep } from "node:path";
import { BadDataError } from "@mbs/contracts";
import type { GraphFile, GraphTensor } from "@mbs/onnx";
import type { TensorFile } from "../checkpoint/checkpoint.ts";
import type { HeaderEntry } from "../checkpoint/safetensors-header.ts";
import { openFile } from "../folder/open-file.ts";
import type { OpenFile } from "../folder/open-file.ts";
import { locateExternalData } from "./external-data.ts";

/** Numbers of TensorProto.DataType → the name in a safetensors header, and bytes of an element; 4-bit types have half. */
const types: ReadonlyMap<number, readonly [name: string, bytes: number]> = new Map([
  [1, ["F32", 4]],
  [2, ["U8", 1]],
  [3, ["I8", 1]],
  [4, ["U16", 2]],
  [5, ["I16", 2]],
  [6, ["I32", 4]],
  [7, ["I64", 8]],
  [9, ["BOOL", 1]],
  [10, ["F16", 2]],
  [11, ["F64", 8]],
  [12, ["U32", 4]],
  [13, ["U64", 8]],
  [16, ["BF16", 2]],
  [17, ["F8_E4M3", 1]],
  [19, ["F8_E5M2", 1]],
  [21, ["U4", 0.5]],
  [22, ["I4", 0.5]],
]);

/** A tensor, the file that has its values, and where in it they are. */
interface StoredTensor extends HeaderEntry {
  readonly path: string;
  readonly checksum: string | undefined;
}

function findStored(folder: string, graph: GraphFile, tensor: GraphTensor): StoredTensor | undefined {
  const { name, dims, inline } = tensor;
  if (inline === undefined && tensor.external === undefined) return undefined;
  const broken = (problem: string): never => {
    throw new BadDataError(`${graph.path}: tensor ${name} ${problem}; export the model again`, {
      file: graph.path,
      tensor: name,
    });
  };
  const type = types.get(tensor.type) ?? broken(`has values of type ${tensor.type}, which is not read`);
  const [storedDtype, bytesOfOne] = type;
  const wanted = Math.ceil(dims.reduce((product, side) => product * side, bytesOfOne));
  const own = inline && { ...inline, path: graph.path, checksum: undefined };
  const { path, offset: begin, length = wanted, checksum } = own ?? locateExternalData(folder, graph.path, tensor);
  if (length !== wanted) broken(`has ${length} bytes where its shape [${dims.join(", ")}] needs ${wanted}`);
  return {
    name,
    storedDtype,
    shape: dims,
    begin,
    end: begin + wanted,
    path,
    checksum,
  };
}

const pieceBytes = 4 * 1024 * 1024;

/** @throws {BadDataError} where tensors name a SHA-1 that is not the file's */
function checkDigest(file: OpenFile, tensors: readonly StoredTensor[]): void {
  const named = tensors.filter(({ checksum }) => checksum !== undefined);
  if (named.length === 0) return;
  const hash = createHash("sha1");
  const piece = new Uint8Array(Math.min(pieceBytes, file.size));
  for (let at = 0; at < file.size; at += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, file.size - at));
    file.readInto(at, part);
    hash.update(part);
  }
  const digest = hash.digest("hex");
  const other = named.find(({ checksum }) => checksum !== digest);
  if (other === undefined) return;
  throw new BadDataError(
    `${file.path} has the SHA-1 ${digest}, where tensor ${other.name} names ${other.checksum}; copy the model again`,
    { file: file.path, tensor: other.name },
  );
}

/** Tensors that share bytes with another one: a change of one would change the other. @param tensors in the order of their offsets */
function overlapping(tensors: readonly StoredTensor[]): string[] {
  const shared: string[] = [];
  let last: StoredTensor | undefined;
  for (const tensor of tensors) {
    if (last !== undefined && tensor.begin < last.end && tensor.end > tensor.begin) shared.push(last.name, tensor.name);
    if (last === undefined || tensor.end > last.end) last = tensor;
  }
  return shared;
}

/** Where the values of a tensor begin in a file of the model's folder. */
export interface FileOffset {
  /** Relative to the folder, with "/" between its parts. */
  readonly file: string;
  readonly offset: number;
}

export interface GraphTensors {
  readonly files: readonly TensorFile[];
  readonly fileOffsets: ReadonlyMap<string, FileOffset>;
  /** Tensors whose bytes belong to another one too. */
  readonly shared: ReadonlySet<string>;
}

/**
 * The tensors of a graph whose values are in its file, or in others.
 *
 * @param opened the graph's own file
 * @throws {BadDataError} where a location is not allowed, a size is not the tensor's, or a checksum not the file's
 */
export function openGraphTensors(folder: string, graph: GraphFile, opened: OpenFile): GraphTensors {
  const stored = [...graph.tensors.values()].flatMap((tensor) => findStored(folder, graph, tensor) ?? []);
  const byPath = new Map<string, StoredTensor[]>([[graph.path, []]]);
  for (const tensor of stored) byPath.set(tensor.path, [...(byPath.get(tensor.path) ?? []), tensor]);
  const shared = new Set<string>();
  const files: TensorFile[] = [];
  try {
    for (const [path, found] of byPath) {
      const tensors = found.sort((a, b) => a.begin - b.begin || a.end - b.end);
      for (const name of overlapping(tensors)) shared.add(name);
      const file = path === graph.path ? opened : openFile(path);
      files.push({
        path,
        name: relative(folder, path).split(sep).join("/"),
        metadata: {},
        tensors,
        readInto: (entry, offset, target) => file.readInto(entry.begin + offset, target),
        close: () => file.close(),
      });
      const last = tensors.find(({ end }) => end > file.size);
      if (last !== undefined) {
        throw new BadDataError(
          `${path} is cut short: tensor ${last.name} ends at byte ${last.end} of ${file.size}; copy it again`,
          {
            file: path,
            tensor: last.name,
          },
        );
      }
      checkDigest(file, tensors);
    }
  } catch (error) {
    for (const file of files) if (file.path !== graph.path) file.close();
    throw error;
  }
  const found = files.flatMap(({ name: file, tensors }) =>
    tensors.map(({ name, begin }) => [name, { file, offset: begin }] as const),
  );
  return { files: files.sort((a, b) => (a.name < b.name ? -1 : 1)), fileOffsets: new Map(found), shared };
}
