import { bitsAWeight, formatBytes, printable, sizeAgainst } from "@mbs/contracts";
import type { ModelSize } from "@mbs/contracts";
import type { GgufDescription, ModelRecord } from "@mbs/models";
import type { InspectionRow } from "./inspection.ts";

/** Items of a list that are shown. */
const shownItems = 8;
const shownCharacters = 200;

type Value = GgufDescription["metadata"] extends ReadonlyMap<string, infer Found> ? Found : never;

const plain = (value: number | bigint | boolean | string): number | boolean | string =>
  typeof value === "bigint" ? String(value) : value;

/** A value for a program: of a list its length and first items. */
const jsonValue = (value: Value): unknown =>
  typeof value === "object" ? { length: value.length, first: value.slice(0, shownItems).map(plain) } : plain(value);

function text(value: Value): string {
  const items = typeof value === "object" ? value.slice(0, shownItems).map(String).join(", ") : String(value);
  const shown = items.length > shownCharacters ? `${items.slice(0, shownCharacters)}…` : items;
  if (typeof value !== "object") return printable(shown);
  return printable(`${value.length} values: ${shown}${value.length > shownItems && !shown.endsWith("…") ? ", …" : ""}`);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** How many tensors have each type, and how many bytes they take. */
function typeRows({ tensors }: GgufDescription): readonly InspectionRow[] {
  const types = [...new Set(tensors.map(({ type }) => type))].sort();
  return types.map((type) => {
    const own = tensors.filter((tensor) => tensor.type === type);
    const [values, bytes] = [sum(own.map((tensor) => tensor.values)), sum(own.map((tensor) => tensor.bytes))];
    return { type, tensors: own.length, values, bytes, "bits a value": Number(((bytes * 8) / values).toPrecision(4)) };
  });
}

const tensorRows = ({ tensors }: GgufDescription): readonly InspectionRow[] =>
  tensors.map(({ name, type, shape, bytes }) => ({ tensor: name, type, shape: shape.join(" × "), bytes }));

const architectureOf = ({ metadata }: GgufDescription): string => String(metadata.get("general.architecture") ?? "unknown");

/** A GGUF file, and how it was made where an mbs.json beside it says so. */
export interface InspectedGguf extends GgufDescription {
  readonly made: ModelRecord | undefined;
}

function madeText({ model, sourceBytes, layers }: ModelRecord, bytes: number): string {
  const methods = new Set(layers.map(({ solver, options }) => `${solver} ${JSON.stringify(options)}`));
  const from = sourceBytes === undefined ? "" : ` of ${formatBytes(sourceBytes)} (this is ${sizeAgainst(bytes, sourceBytes)})`;
  return `made of the model ${model}${from}${methods.size === 0 ? ", without layers" : ` by ${[...methods].join(", ")}`} (mbs.json)`;
}

/** Of the files, not of their tensors: as sizes are everywhere. */
const sizeOf = ({ files, tensors }: GgufDescription): ModelSize => ({
  bytes: sum(files.map((file) => file.bytes)),
  parameters: sum(tensors.map(({ values }) => values)),
});

/** A GGUF file for a program. */
export const ggufJson = (description: InspectedGguf): object => ({
  kind: "gguf",
  version: description.version,
  architecture: architectureOf(description),
  files: description.files,
  bitsAWeight: bitsAWeight(sizeOf(description)),
  ...(description.made && { made: description.made }),
  metadata: Object.fromEntries([...description.metadata].map(([key, value]) => [key, jsonValue(value)])),
  types: typeRows(description),
  tensors: description.tensors,
});

/** A GGUF file for a person. @param table formats rows, at most as many as were asked for */
export function ggufText(description: InspectedGguf, table: (rows: readonly InspectionRow[]) => string): string {
  const { version, metadata, files, tensors, made } = description;
  const size = sizeOf(description);
  return [
    `GGUF (version ${version}), architecture ${printable(architectureOf(description))}: ${tensors.length} tensors of ${size.parameters} values in ${formatBytes(size.bytes)}, ${bitsAWeight(size).toFixed(2)} bits a weight\n`,
    ...files.map((file) => `${printable(file.path)}: ${file.tensors} tensors, ${formatBytes(file.bytes)}\n`),
    ...(made === undefined ? [] : [`${printable(madeText(made, size.bytes))}\n`]),
    ...[...metadata].map(([key, value]) => `  ${printable(key)}: ${text(value)}\n`),
    `\n${table(typeRows(description))}`,
    `\n${table(tensorRows(description))}`,
  ].join("");
}
