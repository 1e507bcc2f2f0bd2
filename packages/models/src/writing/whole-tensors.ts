import { at, FailedPreconditionError, InternalError } from "@mbs/contracts";
import type { JoinedTensor, WholeForm } from "../architectures/layout.ts";
import type { TensorInfo } from "../checkpoint/checkpoint.ts";
import type { TensorPieces } from "../checkpoint/safetensors-writer.ts";
import { weave, wholeShape } from "../checkpoint/woven-tensors.ts";

/** A file of safetensors that is to be written. */
export interface WrittenFile {
  /** Relative to the folder. */
  readonly file: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In order, as they are written. */
  readonly tensors: readonly TensorInfo[];
  /** The bytes of one of them. */
  readonly read: (tensor: TensorInfo) => TensorPieces;
}

interface Part {
  readonly tensor: TensorInfo;
  readonly read: WrittenFile["read"];
}

async function bytesOf({ tensor, read }: Part): Promise<Uint8Array> {
  const bytes = new Uint8Array(tensor.bytes);
  let done = 0;
  for await (const piece of read(tensor)) {
    bytes.set(piece, done);
    done += piece.length;
  }
  return bytes;
}

/** The bytes of a whole tensor; where parts take turns, a group of them at a time. */
async function* wholePieces(parts: readonly Part[], { parts: woven, woven: takeTurns }: WholeForm): AsyncGenerator<Uint8Array> {
  if (!takeTurns) {
    for (const { tensor, read } of parts) yield* read(tensor);
    return;
  }
  const { shape, bytes } = at(parts, 0).tensor;
  const [rows = 1, columns = 1] = shape;
  const group = { woven, rows, columns, width: bytes / (rows * columns) };
  for (let first = 0; first < parts.length; first += woven) {
    const read: Uint8Array[] = [];
    for (const part of parts.slice(first, first + woven)) read.push(await bytesOf(part));
    yield weave(read, group);
  }
}

/** @throws {FailedPreconditionError} where a part is of another dtype than the first one */
function requireOneDtype(name: string, parts: readonly Part[]): void {
  const first = at(parts, 0).tensor;
  const other = parts.find(({ tensor }) => tensor.storedDtype !== first.storedDtype)?.tensor;
  if (other === undefined) return;
  throw new FailedPreconditionError(
    `${other.name} is ${other.storedDtype} and ${first.name} is ${first.storedDtype}, which ${name} holds together; assemble with --dtype bf16`,
    { tensor: other.name },
  );
}

/**
 * Files in which the parts of tensors that programs know as a whole alone are these tensors again. A tensor is in the file of its
 * first part. Without such tensors, the files as they are.
 *
 * @param joined of the layout, by the names that are written
 * @throws {FailedPreconditionError} where parts of one tensor differ in dtype
 */
export function wholeTensors(joined: readonly JoinedTensor[] = [], files: readonly WrittenFile[]): readonly WrittenFile[] {
  const found = new Map<string, Part>();
  for (const { tensors, read } of files) for (const tensor of tensors) found.set(tensor.name, { tensor, read });
  const wholes = new Map<string, { readonly info: TensorInfo; readonly pieces: () => TensorPieces }>();
  const inside = new Set<string>();
  for (const { name, parts: names, whole: form } of joined) {
    if (form === undefined) continue;
    const parts = names.map((part) => {
      inside.add(part);
      return found.get(part) ?? missing(name, part);
    });
    requireOneDtype(name, parts);
    const { tensor } = at(parts, 0);
    const shape = wholeShape(tensor.shape, parts.length, form);
    const bytes = parts.reduce((sum, part) => sum + part.tensor.bytes, 0);
    wholes.set(tensor.name, { info: { ...tensor, name, shape, bytes }, pieces: () => wholePieces(parts, form) });
  }
  if (wholes.size === 0) return files;
  return files.map((file) => {
    const pieces = new Map<TensorInfo, () => TensorPieces>();
    const tensors = file.tensors.flatMap((tensor) => {
      const whole = wholes.get(tensor.name);
      if (whole === undefined) return inside.has(tensor.name) ? [] : [tensor];
      pieces.set(whole.info, whole.pieces);
      return [whole.info];
    });
    return { ...file, tensors, read: (tensor) => pieces.get(tensor)?.() ?? file.read(tensor) };
  });
}

function missing(name: string, part: string): never {
  throw new InternalError(`${name} is to be written without ${part}`, { tensor: name });
}
