import { bitsAWeight, counted, formatBytes, printable, sizeAgainst } from "@mbs/contracts";
import type { ModelSize } from "@mbs/contracts";
import type { GgufDescription, ModelRecord } from "@mbs/models";
import type { InspectionRow } from "./inspection.ts";
import { factLines, partsText, summaryText } from "./model-inspection.ts";
import type { ModelInspection } from "./model-inspection.ts";

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

const architectureOf = ({ metadata }: GgufDescription): string => String(metadata.get("general.architecture") ?? "unknown");

/** A GGUF file, how it was made where an mbs.json beside it says so, and what its model is or why it is not opened. */
export interface InspectedGguf extends GgufDescription {
  readonly made: ModelRecord | undefined;
  readonly model: ModelInspection | { readonly problem: string };
}

function madeText({ model, sourceBytes, layers }: ModelRecord, bytes: number): string {
  const methods = new Set(layers.map(({ solver, options }) => `${solver} ${JSON.stringify(options)}`));
  const from = sourceBytes === undefined ? "" : ` of ${formatBytes(sourceBytes)} (this is ${sizeAgainst(bytes, sourceBytes)})`;
  return `of the model ${model}${from}${methods.size === 0 ? ", without layers" : ` by ${[...methods].join(", ")}`} (mbs.json)`;
}

/** Of the files, not of their tensors: as sizes are everywhere. */
const sizeOf = ({ files, tensors }: GgufDescription): ModelSize => ({
  bytes: sum(files.map((file) => file.bytes)),
  parameters: sum(tensors.map(({ values }) => values)),
});

/** What is in a model's tensors stands apart. */
function withoutTensors(model: InspectedGguf["model"]): object {
  if ("problem" in model) return model;
  const { tensors: _, ...summary } = model;
  return summary;
}

/** A GGUF file for a program. @param hasTensors with its metadata and tensors */
export const ggufJson = (description: InspectedGguf, hasTensors: boolean): object => ({
  kind: "gguf",
  version: description.version,
  architecture: architectureOf(description),
  files: description.files,
  bitsAWeight: bitsAWeight(sizeOf(description)),
  ...(description.made && { made: description.made }),
  model: withoutTensors(description.model),
  types: typeRows(description),
  ...(hasTensors && {
    metadata: Object.fromEntries([...description.metadata].map(([key, value]) => [key, jsonValue(value)])),
    tensors: description.tensors,
  }),
});

/** What the file is, behind what its model is. */
function fileLines(description: InspectedGguf): string[] {
  const { version, files, tensors, made, model } = description;
  const { bytes, parameters } = sizeOf(description);
  const bits = `${bitsAWeight({ bytes, parameters }).toFixed(2)} bits a weight`;
  return [
    ...factLines(
      "file",
      `GGUF (version ${version}), architecture ${printable(architectureOf(description))}: ${counted(tensors.length, "tensor")} in ${formatBytes(bytes)}, ${bits}`,
    ),
    ...(files.length < 2 ? [] : files.flatMap((file) => factLines("", `${printable(file.path)}: ${formatBytes(file.bytes)}`))),
    ...(made === undefined ? [] : factLines("made", printable(madeText(made, bytes)))),
    ...("problem" in model ? factLines("model", `none that is opened: ${printable(model.problem)}`) : []),
  ];
}

/** Its metadata, a line a key. */
export const metadataText = ({ metadata }: GgufDescription): string =>
  [...metadata].map(([key, value]) => `  ${printable(key)}: ${text(value)}\n`).join("");

/** A GGUF file for a person, without metadata and tensors. @param table formats rows */
export function ggufText(description: InspectedGguf, table: (rows: readonly InspectionRow[]) => string): string {
  const { model } = description;
  return [
    "problem" in model ? "" : summaryText(model),
    `${fileLines(description).join("\n")}\n`,
    "problem" in model ? "" : `\n${partsText(model)}`,
    `\n${table(typeRows(description))}`,
  ].join("");
}
