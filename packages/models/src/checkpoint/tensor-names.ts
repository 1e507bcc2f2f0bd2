import { at, BadDataError } from "@mbs/contracts";
import type { ArchitectureReading } from "../architectures/architecture.ts";
import { renameBases } from "../architectures/bases.ts";
import type { ExpectedTensor, JoinedTensor, Layout } from "../architectures/layout.ts";
import type { Checkpoint } from "./checkpoint.ts";

const shownProblems = 3;

/** Where a model is from, for messages. */
export interface Origin {
  /** The folder, or the file that is a model by itself. */
  readonly folder: string;
  /** Path of config.json, or of the file whose metadata stand for it. */
  readonly file: string;
  /** As in ModelSource. */
  readonly nameInFile?: (tensor: string) => string;
}

/** Something wrong with a tensor: its name, and what. */
interface Problem {
  readonly name: string;
  readonly fault: string;
}

/** Problems in one line: those that differ only in numbers of blocks and experts count as one. */
function describe(problems: readonly Problem[]): string {
  const kinds = new Map<string, { readonly first: Problem; more: number }>();
  for (const problem of problems) {
    const kind = `${problem.name.replaceAll(/\d+/g, "*")} ${problem.fault}`;
    const known = kinds.get(kind);
    if (known === undefined) kinds.set(kind, { first: problem, more: 0 });
    else known.more += 1;
  }
  const lines = [...kinds.values()].map(({ first: { name, fault }, more }) =>
    more === 0 ? `${name} ${fault}` : `${name} ${fault}, and ${more} like it`,
  );
  const shown = lines.slice(0, shownProblems).join("; ");
  return lines.length > shownProblems ? `${shown}; and ${lines.length - shownProblems} more kinds` : shown;
}

/** The names that a layout's tensors have in the checkpoint, of those that are there. */
type TensorNames = ReadonlyMap<string, string>;

const storedShape = ({ shape, transposed }: ExpectedTensor): readonly number[] => (transposed ? shape.toReversed() : shape);

/** Whether a tensor belongs to a module beside the language model, under that module's name or behind "model.". */
export const isCarried = ({ carried = [] }: Layout, tensor: string): boolean =>
  carried.some((module) => tensor.startsWith(`${module}.`) || tensor.startsWith(`model.${module}.`));

function findTensors(
  { layout, defaults }: ArchitectureReading,
  checkpoint: Checkpoint,
  { folder, file, nameInFile }: Origin,
): TensorNames {
  const isFolder = nameInFile === undefined;
  const asked = isFolder ? "config.json asks for" : "the metadata ask for";
  const names = new Map<string, string>();
  const used = new Set<string>();
  const problems: Problem[] = [];
  const spellings = (name: string): string[] => ["", ...layout.prefixes].map((prefix) => `${prefix}${name}`);
  for (const name of layout.unread) for (const spelling of spellings(name)) used.add(spelling);
  for (const expected of layout.tensors) {
    const { name, required } = expected;
    const shape = storedShape(expected);
    const candidates = spellings(name).filter((full) => checkpoint.has(full));
    const [found, second] = candidates;
    for (const candidate of candidates) used.add(candidate);
    if (second !== undefined) problems.push({ name: second, fault: `is stored beside ${found}` });
    if (found === undefined) {
      if (required) problems.push({ name, fault: "is missing" });
      continue;
    }
    const info = checkpoint.info(found);
    if (info.shape.join() !== shape.join()) {
      problems.push({
        name: found,
        fault: `has shape [${info.shape.join(", ")}] where ${asked} [${shape.join(", ")}]`,
      });
    } else if (info.dtype === undefined) {
      problems.push({ name: found, fault: `is ${info.storedDtype}, not F32, F16 or BF16` });
    }
    names.set(name, found);
  }
  problems.push(
    ...checkpoint
      .list()
      .filter(({ name }) => !used.has(name) && !isCarried(layout, name))
      .map(({ name }) => ({ name, fault: "is unknown" })),
  );
  if (problems.length > 0) {
    const left = [...defaults].map(([key, value]) => `${key} (${value})`).join(", ");
    const absent = left === "" ? "" : `; config.json leaves out ${left}, so the default is used`;
    throw new BadDataError(
      isFolder
        ? `${folder}: the tensors do not fit config.json: ${describe(problems)}${absent}; is the folder complete and of a supported model?`
        : `${file}: the tensors do not fit the metadata: ${describe(problems.map(({ name, fault }) => ({ name: nameInFile(name), fault })))}; is the file complete and of a supported model?`,
      { folder, problems: problems.length },
    );
  }
  return names;
}

/** A joined tensor with other names of its parts: what then stands before them stands before its own name too. */
export function renameJoined(tensor: JoinedTensor, nameOf: (tensor: string) => string): JoinedTensor {
  const parts = tensor.parts.map(nameOf);
  const [bare, named] = [at(tensor.parts, 0), at(parts, 0)];
  return { ...tensor, name: `${named.slice(0, named.length - bare.length)}${tensor.name}`, parts };
}

/**
 * The layout with the names that its tensors have in a checkpoint, with or without one of the prefixes.
 *
 * @throws {BadDataError} listing tensors that are missing, unknown, of another shape or no weights
 */
export function nameTensors(reading: ArchitectureReading, checkpoint: Checkpoint, origin: Origin): Layout {
  const { layout } = reading;
  const names = findTensors(reading, checkpoint, origin);
  const nameOf = (tensor: string): string => names.get(tensor) ?? tensor;
  const named = (roles: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
    new Map([...roles].map(([role, tensor]) => [role, nameOf(tensor)]));
  const transposed = new Set(layout.tensors.filter((tensor) => tensor.transposed).map(({ name }) => name));
  return {
    ...layout,
    tensors: layout.tensors
      .filter(({ name }) => names.has(name))
      .map((tensor) => ({
        ...tensor,
        name: nameOf(tensor.name),
        ...(tensor.copyOf !== undefined && { copyOf: nameOf(tensor.copyOf) }),
      })),
    embedding: nameOf(layout.embedding),
    // A head that the layout does not require is the embedding where the checkpoint has none.
    head: nameOf(names.has(layout.head) ? layout.head : layout.embedding),
    ownHead: nameOf(layout.head),
    ...(layout.tokenInput && {
      tokenInput: {
        ...layout.tokenInput,
        table: nameOf(layout.tokenInput.table),
        projection: nameOf(layout.tokenInput.projection),
        roles: named(layout.tokenInput.roles),
      },
    }),
    bases: renameBases(layout.bases, nameOf),
    ...(layout.joined && { joined: layout.joined.map((tensor) => renameJoined(tensor, nameOf)) }),
    embedRoles: named(layout.embedRoles),
    headRoles: named(layout.headRoles),
    blockRoles: (index) => named(layout.blockRoles(index)),
    blocks: layout.blocks.map(({ sites, ...block }) => ({
      ...block,
      sites: sites.map((site) => ({
        ...site,
        weights: site.weights.map(({ tensor, rows }) => ({
          tensor: nameOf(tensor),
          rows,
          ...(transposed.has(tensor) && { transposed: true }),
        })),
        ...(site.scaledBy && { scaledBy: site.scaledBy.map(({ tensor, offset }) => ({ tensor: nameOf(tensor), offset })) }),
      })),
    })),
  };
}
