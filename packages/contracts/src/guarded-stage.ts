import { inspect } from "node:util";
import type { ArtifactStream, Batch, ColumnType, Field, Schema } from "./batch.ts";
import {
  BadDataError,
  DeniedError,
  FailedPreconditionError,
  InputOutputError,
  InternalError,
  InterruptedError,
  MbsError,
  TryAgainError,
  UsageError,
} from "./errors.ts";
import type { ErrorFacts, ErrorTag } from "./errors.ts";
import { isObject } from "./is-object.ts";
import { quoted } from "./printable.ts";
import type { Stage } from "./stage.ts";

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === "string");

const isListOf =
  (type: typeof Int32Array | typeof Float32Array | typeof Uint8Array) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every((item) => item instanceof type);

/** What holds the values of a column, in words and as a check. */
const columnTypes: Readonly<Record<ColumnType, { readonly holds: string; readonly fits: (value: unknown) => boolean }>> = {
  utf8: { holds: "an array of strings", fits: isTexts },
  int32: { holds: "an Int32Array", fits: (value) => value instanceof Int32Array },
  int64: { holds: "a Float64Array of whole numbers", fits: (value) => value instanceof Float64Array },
  float64: { holds: "a Float64Array", fits: (value) => value instanceof Float64Array },
  "list<int32>": { holds: "an array of Int32Array", fits: isListOf(Int32Array) },
  "list<float32>": { holds: "an array of Float32Array", fits: isListOf(Float32Array) },
  binary: { holds: "an array of Uint8Array", fits: isListOf(Uint8Array) },
};

/** An error of a third-party module's own copy of this package has no class that `instanceof` knows; its tag says which it is. */
const taggedErrors: Partial<Record<ErrorTag, new (message: string, facts: ErrorFacts, options: { cause: unknown }) => MbsError>> =
  {
    usage: UsageError,
    "bad-data": BadDataError,
    "failed-precondition": FailedPreconditionError,
    "input-output": InputOutputError,
    "try-again": TryAgainError,
    denied: DeniedError,
    interrupted: InterruptedError,
  };

/** What a stage threw: errors of this project and of the operating system as they are, anything else as the stage's own fault. */
function stageFailure(name: string, thrown: unknown): unknown {
  if (thrown instanceof MbsError) return thrown;
  if (thrown instanceof Error && ("syscall" in thrown || thrown.name === "AbortError")) return thrown;
  const reason = (thrown instanceof Error && thrown.message) || inspect(thrown);
  const Tagged =
    thrown instanceof Error && "tag" in thrown && Object.hasOwn(taggedErrors, String(thrown.tag))
      ? taggedErrors[thrown.tag as ErrorTag]
      : undefined;
  if (Tagged) return new Tagged(reason, { stage: name }, { cause: thrown });
  return new InternalError(
    `stage ${name} failed: ${reason}; fix it (--debug shows its stack)`,
    { stage: name },
    { cause: thrown },
  );
}

const isField = (field: unknown): field is Field =>
  isObject(field) && typeof field["name"] === "string" && Object.hasOwn(columnTypes, String(field["type"]));

/** What keeps a value from being the stream of a declared output, or undefined. */
function streamMisfit(kind: string, stream: unknown): string | undefined {
  if (!isObject(stream) || !isObject(stream["schema"])) return "is no stream: { schema, batches }";
  const { batches, schema } = stream as { batches: unknown; schema: Partial<Schema> };
  if (!isObject(batches) || !(Symbol.asyncIterator in batches)) return "has no batches that can be iterated with for await";
  if (schema.kind !== kind) return `has a schema of kind ${quoted(schema.kind)}, and its stage declares ${kind}`;
  if (!Number.isSafeInteger(schema.version)) return "has a schema without a whole version";
  if (!isObject(schema.metadata) || !Object.values(schema.metadata).every((value) => typeof value === "string")) {
    return "has metadata that are not all strings";
  }
  const fields: unknown = schema.fields;
  if (Array.isArray(fields) && fields.length > 0 && fields.every(isField)) return undefined;
  return `has fields that are not all { name, type }, with a type of ${Object.keys(columnTypes).join(", ")}`;
}

/** What keeps a batch from fitting its schema, or undefined. */
function batchMisfit({ fields }: Schema, batch: unknown): string | undefined {
  if (!isObject(batch) || !Number.isSafeInteger(batch["rows"]) || !isObject(batch["columns"])) return "is no { rows, columns }";
  const { rows, columns } = batch as unknown as Batch;
  for (const { name, type } of fields) {
    const column: unknown = Object.hasOwn(columns, name) ? columns[name] : undefined;
    if (column === undefined) return `has no column ${name}`;
    const { holds, fits } = columnTypes[type];
    if (!fits(column)) return `has a column ${name} that is not ${holds}, as its type ${type} asks for`;
    const { length } = column as ArrayLike<unknown>;
    if (length !== rows) return `has ${rows} rows and ${length} values in the column ${name}`;
  }
  return undefined;
}

async function* checkedBatches(name: string, output: string, { schema, batches }: ArtifactStream): AsyncGenerator<Batch> {
  let done = 0;
  try {
    for await (const batch of batches) {
      const wrong = batchMisfit(schema, batch);
      if (wrong !== undefined) throw new Error(`batch ${done} of its output ${output} ${wrong}`);
      yield batch;
      done += 1;
    }
  } catch (thrown) {
    throw stageFailure(name, thrown);
  }
}

/**
 * A third-party stage whose outputs are checked as they are read, and whose failures name it: its schema is that of the
 * output that it declares, and every batch has the columns of the schema.
 *
 * @param checkSchema throws on a schema that no artifact of its kind has
 */
export function guardedStage(stage: Stage, checkSchema: (schema: Schema) => void = () => undefined): Stage {
  const { name } = stage;
  return {
    ...stage,
    async run(inputs, options, context) {
      try {
        const outputs: unknown = await stage.run(inputs, options, context);
        const entries = Object.entries(stage.outputs).map(([output, { kind }]): [string, ArtifactStream] => {
          const stream = isObject(outputs) ? outputs[output] : undefined;
          if (stream === undefined) throw new Error(`it made no output ${output}`);
          const wrong = streamMisfit(kind, stream);
          if (wrong !== undefined) throw new Error(`its output ${output} ${wrong}`);
          const { schema } = stream as ArtifactStream;
          try {
            checkSchema(schema);
          } catch (cause) {
            const reason = cause instanceof Error ? cause.message : String(cause);
            throw new Error(`its output ${output} is no artifact of its kind: ${reason}`, { cause });
          }
          return [output, { schema, batches: checkedBatches(name, output, stream as ArtifactStream) }];
        });
        return Object.fromEntries(entries);
      } catch (thrown) {
        throw stageFailure(name, thrown);
      }
    },
  };
}
