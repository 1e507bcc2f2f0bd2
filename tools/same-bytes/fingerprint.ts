import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { readdir } from "node:fs/promises";
import { openArtifact } from "@mbs/artifacts";
import { isObject } from "@mbs/contracts";
import type { ColumnValues, ColumnType } from "@mbs/contracts";
import { readGgufHeader } from "@mbs/gguf";
import { readGraphFile } from "@mbs/onnx";
import { parse as parseYaml } from "yaml";
import type { Recorded } from "./compare-records.ts";

type Mutable = { [key: string]: Recorded };

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Numbers that are shown as they are, since a difference of theirs is read sooner than that of a hash. */
const shownNumbers = 4;

const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const shown = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

/** Bits of some rows of a column that holds numbers or bytes. */
function bitsOf(values: readonly (number | ArrayBufferView)[]): string {
  const numbers = values.filter((value) => typeof value === "number");
  if (numbers.length === values.length && numbers.length <= shownNumbers) return numbers.map(shown).join(" ");
  const hash = createHash("sha256");
  let bytes = 0;
  for (const value of values) {
    const part = bytesOf(typeof value === "number" ? Float64Array.of(value) : value);
    hash.update(part);
    bytes += part.length;
  }
  return `sha256 ${hash.digest("hex")}, ${bytes} bytes`;
}

/** Texts that are no names of what a row is about: JSON, and addresses. */
const isContent = (text: string): boolean => /^(?:[{[]|[0-9a-f]{64}$)/.test(text);

function jsonOr(text: string): Recorded {
  try {
    const value = JSON.parse(text) as Recorded;
    return isObject(value) ? value : text;
  } catch {
    return text;
  }
}

/** Rows that follow each other and are about the same. */
interface Group {
  readonly key: string;
  readonly texts: Mutable;
  readonly numbers: Map<string, (number | ArrayBufferView)[]>;
}

const groupBits = ({ texts, numbers }: Group): Mutable => ({
  ...texts,
  ...Object.fromEntries([...numbers].map(([name, values]) => [`#${name}`, bitsOf(values)])),
});

/** An artifact by what its columns hold. Its address, and those that it names, are told apart from its content. */
export async function fingerprintArtifact(path: string): Promise<{ readonly address: string; readonly made: Recorded }> {
  const stream = await openArtifact(path);
  const { kind, version, fields, metadata } = stream.schema;
  const records: Mutable = {};
  let group: Group | undefined;
  let rows = 0;
  const finish = (): void => {
    if (group === undefined) return;
    let name = group.key;
    for (let count = 2; Object.hasOwn(records, name); count += 1) name = `${group.key} (${count})`;
    records[name] = groupBits(group);
  };
  for await (const batch of stream.batches) {
    rows += batch.rows;
    for (let row = 0; row < batch.rows; row += 1) {
      const cells = fields.map(({ name, type }): [string, ColumnType, unknown] => [
        name,
        type,
        (batch.columns[name] as ColumnValues[ColumnType] | undefined)?.[row],
      ]);
      const texts = cells.filter(([, type]) => type === "utf8").map(([name, , text]) => [name, String(text)] as const);
      const key = texts.flatMap(([, text]) => (text === "" || isContent(text) ? [] : text)).join(" ");
      const contents = Object.fromEntries(
        texts.filter(([, text]) => isContent(text)).map(([name, text]) => [name, jsonOr(text)]),
      );
      if (group?.key !== key || JSON.stringify(group.texts) !== JSON.stringify(contents)) {
        finish();
        group = { key, texts: contents, numbers: new Map() };
      }
      for (const [name, type, value] of cells) {
        if (type === "utf8") continue;
        if (typeof value !== "number" && !ArrayBuffer.isView(value)) throw new Error(`column ${name}: no number, and no bytes`);
        const values = group.numbers.get(name) ?? [];
        values.push(value);
        group.numbers.set(name, values);
      }
    }
  }
  finish();
  const { address } = await stream.receipt;
  const parsed = Object.fromEntries(Object.entries(metadata).map(([name, text]) => [name, jsonOr(text)]));
  const columns = Object.fromEntries(fields.map(({ name, type }) => [name, type]));
  return { address, made: { kind, version, address, metadata: parsed, columns, "#rows": rows, records } };
}

/** A whole file in memory, as the readers of GGUF and ONNX want it. */
function memoryFile(path: string) {
  const bytes = readFileSync(path);
  const read = (offset: number, length: number): Uint8Array => bytes.subarray(offset, offset + length);
  return {
    path,
    size: bytes.length,
    bytes,
    read,
    readInto: (position: number, target: Uint8Array) => target.set(read(position, target.length)),
  };
}

function safetensors(path: string): Recorded {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const { __metadata__: metadata = null, ...entries } = header;
  const tensors = Object.entries(entries).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => [name, { "#dtype": dtype, "#shape": shape.join(" "), "#bytes": hashOf(bytes.subarray(start + begin, start + end)) }],
  );
  return { file: hashOf(bytes), metadata: metadata as Recorded, tensors: Object.fromEntries(tensors) as Recorded };
}

function gguf(path: string): Recorded {
  const file = memoryFile(path);
  const { version, metadata, tensors } = readGgufHeader(file);
  const plain = (value: unknown): Recorded => {
    if (!Array.isArray(value)) return typeof value === "bigint" ? String(value) : (value as Recorded);
    return value.length <= shownNumbers
      ? value.map(plain)
      : `sha256 ${hashOf(Buffer.from(value.map(String).join("\0")))}, ${value.length} values`;
  };
  return {
    file: hashOf(file.bytes),
    version,
    metadata: Object.fromEntries([...metadata].map(([key, value]) => [key, plain(value)])),
    tensors: Object.fromEntries(
      tensors.map(({ name, type, shape, begin, end }) => [
        name,
        { "#type": type.name, "#shape": shape.join(" "), "#bytes": hashOf(file.bytes.subarray(begin, end)) },
      ]),
    ),
  };
}

function onnx(path: string): Recorded {
  const file = memoryFile(path);
  const { irVersion, opsets, nodes, tensors } = readGraphFile(file);
  return {
    file: hashOf(file.bytes),
    irVersion,
    opsets: opsets.map((opset) => JSON.stringify(opset)),
    nodes: nodes.map(
      ({ name, operator, inputs, outputs }) => `${name}: ${operator} ${inputs.join(", ")} > ${outputs.join(", ")}`,
    ),
    tensors: Object.fromEntries(
      [...tensors].map(([name, { type, dims, span }]) => [
        name,
        { "#type": type, "#dims": dims.join(" "), "#bytes": hashOf(file.read(span.offset, span.length)) },
      ]),
    ),
  };
}

/** A file of a model by its kind. */
export function fingerprintFile(path: string): Recorded {
  const name = basename(path);
  if (name.endsWith(".safetensors")) return safetensors(path);
  if (name.endsWith(".gguf")) return gguf(path);
  if (name.endsWith(".onnx")) return onnx(path);
  const bytes = readFileSync(path);
  // a tokenizer is thousands of entries, and copied or cut as a whole
  if (/^(?:tokenizer|vocab|merges)\b/.test(name)) return { "#file": hashOf(bytes) };
  if (name.endsWith(".json")) return JSON.parse(bytes.toString()) as Recorded;
  if (name.endsWith(".yaml")) return parseYaml(bytes.toString()) as Recorded;
  if (name.endsWith(".md")) return bytes.toString();
  return { "#file": hashOf(bytes) };
}

/** All files of a folder by their paths in it. */
export async function fingerprintFolder(folder: string): Promise<Recorded> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files: Mutable = {};
  for (const path of paths.sort()) {
    const name = path.slice(folder.length + 1);
    files[name] = name.endsWith(".arrow") ? (await fingerprintArtifact(path)).made : fingerprintFile(path);
  }
  return files;
}
