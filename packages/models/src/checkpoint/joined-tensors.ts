import { at, BadDataError, InternalError } from "@mbs/contracts";
import type { JoinedTensor, Layout } from "../architectures/layout.ts";
import type { TensorFile } from "./checkpoint.ts";
import type { HeaderEntry } from "./safetensors-header.ts";
import { unweave, wholeShape } from "./woven-tensors.ts";

const elements = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

/** The parts of a joined tensor as separate tensors. @throws {BadDataError} where it cannot hold them */
function split(
  entry: HeaderEntry,
  { parts, whole }: JoinedTensor,
  shapes: ReadonlyMap<string, readonly number[]>,
  path: string,
): HeaderEntry[] {
  const pieces = parts.map((name) => {
    const shape = shapes.get(name);
    if (shape === undefined) throw new InternalError(`${entry.name} holds ${name}, which the layout does not have`);
    return { name, shape };
  });
  const wanted = pieces.reduce((sum, { shape }) => sum + elements(shape), 0);
  const first = at(pieces, 0).shape;
  const fits =
    whole === undefined
      ? elements(entry.shape) === wanted && entry.shape.at(-1) === first.at(-1)
      : entry.shape.join() === wholeShape(first, parts.length, whole).join();
  if (!fits) {
    throw new BadDataError(
      `${path}: tensor ${entry.name} has shape [${entry.shape.join(", ")}] where the configuration asks for ${parts.length} tensors in it, the first of [${first.join(", ")}]; is the folder complete and of a supported model?`,
      { file: path, tensor: entry.name },
    );
  }
  const bytes = (entry.end - entry.begin) / wanted;
  let begin = entry.begin;
  return pieces.map(({ name, shape }) => {
    const piece = { ...entry, name, shape, begin, end: begin + bytes * elements(shape) };
    begin = piece.end;
    return piece;
  });
}

/** Fills `target` from byte `offset` of a tensor. */
type ReadPart = (offset: number, target: Uint8Array) => void;

/**
 * How woven parts are read. The parts of the last matrices stay in memory: a matrix is read in pieces, and those of a group one
 * after the other, with their biases between them.
 */
function wovenReader(file: TensorFile): (whole: HeaderEntry, woven: number, place: number, part: HeaderEntry) => ReadPart {
  let last: { readonly whole: HeaderEntry; readonly group: number; readonly parts: readonly Uint8Array[] } | undefined;
  return (whole, woven, place, { shape: [rows = 1, columns], begin, end }) => {
    const group = Math.floor(place / woven);
    const read = (): readonly Uint8Array[] => {
      const bytes = new Uint8Array(woven * (end - begin));
      file.readInto(whole, group * bytes.length, bytes);
      const width = (end - begin) / (rows * (columns ?? 1));
      return unweave(bytes, { woven, rows, columns: columns ?? 1, width });
    };
    return (offset, target) => {
      const known = last?.whole === whole && last.group === group ? last.parts : undefined;
      const parts = known ?? read();
      if (columns !== undefined) last = { whole, group, parts };
      target.set(at(parts, place % woven).subarray(offset, offset + target.length));
    };
  };
}

/**
 * Weight files in which joined tensors are replaced by their parts, so that all other code knows one form only. Files
 * without joined tensors are returned as they are.
 */
export function splitJoined(files: readonly TensorFile[], { joined = [], prefixes, tensors }: Layout): readonly TensorFile[] {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  const byName = new Map(joined.map((tensor) => [tensor.name, tensor]));
  const stored = new Set(files.flatMap((file) => file.tensors.map(({ name }) => name)));
  return files.map((file) => {
    const parts = new Map<HeaderEntry, ReadPart>();
    const readWoven = wovenReader(file);
    const entries = file.tensors.flatMap((entry) => {
      const prefix = ["", ...prefixes].find(
        (start) => byName.has(entry.name.slice(start.length)) && entry.name.startsWith(start),
      );
      const tensor = prefix === undefined ? undefined : byName.get(entry.name.slice(prefix.length));
      if (prefix === undefined || tensor === undefined) return [entry];
      return split(entry, tensor, shapes, file.path).map((piece, place) => {
        const named = { ...piece, name: `${prefix}${piece.name}` };
        if (stored.has(named.name)) {
          throw new BadDataError(
            `${file.path}: tensor ${entry.name} and its part ${named.name} are both stored; remove one of them`,
            {
              file: file.path,
              tensor: entry.name,
            },
          );
        }
        parts.set(
          named,
          tensor.whole?.woven === true
            ? readWoven(entry, tensor.whole.parts, place, named)
            : (offset, target) => file.readInto(entry, named.begin - entry.begin + offset, target),
        );
        return named;
      });
    });
    if (parts.size === 0) return file;
    return {
      ...file,
      tensors: entries,
      readInto(entry, offset, target) {
        const read = parts.get(entry);
        if (read === undefined) file.readInto(entry, offset, target);
        else read(offset, target);
      },
      close: () => file.close(),
    };
  });
}
