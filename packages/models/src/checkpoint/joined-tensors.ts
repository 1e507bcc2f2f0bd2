import { at, BadDataError, InternalError } from "@mbs/contracts";
import type { Layout } from "../architectures/layout.ts";
import type { TensorFile } from "./checkpoint.ts";
import type { HeaderEntry } from "./safetensors-header.ts";

const elements = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

/** The parts of a joined tensor as separate tensors. @throws {BadDataError} where it cannot hold them */
function split(
  entry: HeaderEntry,
  parts: readonly string[],
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
  const columns = first.at(-1);
  if (elements(entry.shape) !== wanted || entry.shape.at(-1) !== columns) {
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

/**
 * Weight files in which joined tensors are replaced by their parts, so that all other code knows one form only. Files
 * without joined tensors are returned as they are.
 */
export function splitJoined(files: readonly TensorFile[], { joined = [], prefixes, tensors }: Layout): readonly TensorFile[] {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  const parts = new Map(joined.map((tensor) => [tensor.name, tensor.parts]));
  const stored = new Set(files.flatMap((file) => file.tensors.map(({ name }) => name)));
  return files.map((file) => {
    const wholes = new Map<HeaderEntry, HeaderEntry>();
    const entries = file.tensors.flatMap((entry) => {
      const prefix = ["", ...prefixes].find((start) => parts.has(entry.name.slice(start.length)) && entry.name.startsWith(start));
      const names = prefix === undefined ? undefined : parts.get(entry.name.slice(prefix.length));
      if (prefix === undefined || names === undefined) return [entry];
      return split(entry, names, shapes, file.path).map((piece) => {
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
        wholes.set(named, entry);
        return named;
      });
    });
    if (wholes.size === 0) return file;
    return {
      ...file,
      tensors: entries,
      readInto(entry, offset, target) {
        const whole = wholes.get(entry);
        if (whole === undefined) file.readInto(entry, offset, target);
        else file.readInto(whole, entry.begin - whole.begin + offset, target);
      },
      close: () => file.close(),
    };
  });
}
