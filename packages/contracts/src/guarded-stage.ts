import { inspect } from "node:util";
import type { ArtifactStream, Batch, ColumnType, Field, Schema } from "./batch.ts";
import { InternalError, InterruptedError, MbsError, errorOfTag, isErrorTag } from "./errors.ts";
import type { ErrorTag } from "./errors.ts";
import { isObject } from "./value-checks.ts";
import { isTexts, optionsFault, settled } from "./load-code.ts";
import type { OptionTable } from "./options.ts";
import { quoted } from "./printable.ts";
import type { Stage } from "./stage.ts";

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

/** Tags that a third-party stage may keep; the other two would report faults of this program. */
const isRefusal = (tag: unknown): tag is ErrorTag => isErrorTag(tag) && tag !== "internal" && tag !== "broken-pipe";

/** What a stage threw: errors of this project and of the operating system as they are, anything else as the stage's own fault. */
function stageFailure(name: string, thrown: unknown): unknown {
  if (thrown instanceof MbsError) return thrown;
  if (thrown instanceof Error && ("syscall" in thrown || thrown.name === "AbortError")) return thrown;
  const reason = (thrown instanceof Error && thrown.message) || inspect(thrown);
  // an error of the stage's own copy of this package has no class that `instanceof` knows
  if (thrown instanceof Error && "tag" in thrown && isRefusal(thrown.tag)) {
    return errorOfTag(thrown.tag, reason, { stage: name }, { cause: thrown });
  }
  return new InternalError(
    `stage ${name} failed: ${reason}; fix it (--debug shows its stack)`,
    { stage: name },
    { cause: thrown },
  );
}

/** Columns that a reader of artifacts takes. */
const mostFields = 64;

const isField = (field: unknown): field is Field =>
  isObject(field) && typeof field["name"] === "string" && Object.hasOwn(columnTypes, String(field["type"]));

/** What keeps a value from being the stream of a declared output, or undefined. */
function streamFault(kind: string, stream: unknown): string | undefined {
  if (!isObject(stream) || !isObject(stream["schema"])) return "is no stream: { schema, batches }";
  const { batches, schema } = stream as { batches: unknown; schema: Partial<Schema> };
  if (!isObject(batches) || !(Symbol.asyncIterator in batches)) return "has no batches that can be iterated with for await";
  if (schema.kind !== kind) return `has a schema of kind ${quoted(schema.kind)}, and its stage declares ${kind}`;
  if (!Number.isSafeInteger(schema.version) || Number(schema.version) < 0) return "has a schema without a whole version";
  if (!isObject(schema.metadata) || !Object.values(schema.metadata).every((value) => typeof value === "string")) {
    return "has metadata that are not all strings";
  }
  const reserved = Object.keys(schema.metadata).find((key) => key.startsWith("mbs."));
  if (reserved !== undefined) return `has the metadata ${quoted(reserved)}; names that begin with mbs. are reserved`;
  return fieldsFault(schema.fields);
}

/** What keeps a value from being the columns of an artifact, or undefined. */
function fieldsFault(fields: unknown): string | undefined {
  if (!Array.isArray(fields) || fields.length === 0 || fields.length > mostFields)
    return `has no list of 1 to ${mostFields} fields`;
  if (!fields.every(isField)) {
    return `has fields that are not all { name, type }, with a type of ${Object.keys(columnTypes).join(", ")}`;
  }
  const names = fields.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? undefined : `has two fields called ${quoted(twice)}`;
}

/** What keeps a batch from fitting its schema, or undefined. */
function batchFault({ fields }: Schema, batch: unknown): string | undefined {
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

/**
 * Waits for work of a stage, at most until the user stops it.
 *
 * @throws {InterruptedError} when the signal fires first
 * @throws {Error} where nothing is left that could settle the work
 */
async function untilStopped<T>(work: Promise<T> | T, signal: AbortSignal): Promise<T> {
  const done = new AbortController();
  const stopped = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new InterruptedError("interrupted"));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([settled(work, () => new Error("a promise that it waits for never settled")), stopped]);
  } finally {
    done.abort();
  }
}

async function* checkedBatches(
  name: string,
  output: string,
  { schema, batches }: ArtifactStream,
  signal: AbortSignal,
): AsyncGenerator<Batch> {
  let done = 0;
  let iterator: AsyncIterator<unknown> | undefined;
  try {
    iterator = batches[Symbol.asyncIterator]();
    for (;;) {
      const next = await untilStopped(iterator.next(), signal);
      if (next.done === true) return;
      const wrong = batchFault(schema, next.value);
      if (wrong !== undefined) throw new Error(`batch ${done} of its output ${output} ${wrong}`);
      yield next.value as Batch;
      done += 1;
    }
  } catch (thrown) {
    throw stageFailure(name, thrown);
  } finally {
    // a generator that still works on the next batch would be waited for
    if (!signal.aborted) await iterator?.return?.();
  }
}

/**
 * A third-party stage whose outputs are checked as they are read, and whose failures name it: its schema is that of the
 * output that it declares, and every batch has the columns of the schema.
 *
 * @param loadedFrom the path or package of its code
 * @param checkSchema throws on a schema that no artifact of its kind has
 */
export function guardedStage(stage: Stage, loadedFrom: string, checkSchema: (schema: Schema) => void = () => undefined): Stage {
  const { name, moreOptions, checkPlan, plannedSize } = stage;
  const never = new AbortController().signal;
  const asked = async <Answer>(question: () => Promise<Answer>): Promise<Answer> => {
    try {
      return await untilStopped(question(), never);
    } catch (thrown) {
      throw stageFailure(name, thrown);
    }
  };
  return {
    ...stage,
    loadedFrom,
    ...(moreOptions && {
      moreOptions: (raw) =>
        asked(async () => {
          const table: unknown = await moreOptions.call(stage, raw);
          const wrong = optionsFault(table);
          if (wrong !== undefined) throw new Error(`moreOptions: ${wrong}`);
          return table as OptionTable;
        }),
    }),
    ...(checkPlan && { checkPlan: (...given) => asked(async () => checkPlan.call(stage, ...given)) }),
    ...(plannedSize && { plannedSize: (...given) => asked(async () => plannedSize.call(stage, ...given)) }),
    async run(inputs, options, context) {
      try {
        const outputs: unknown = await untilStopped(stage.run(inputs, options, context), context.signal);
        const entries = Object.entries(stage.outputs).map(([output, { kind }]): [string, ArtifactStream] => {
          const stream = isObject(outputs) ? outputs[output] : undefined;
          if (stream === undefined) throw new Error(`it made no output ${output}`);
          const wrong = streamFault(kind, stream);
          if (wrong !== undefined) throw new Error(`its output ${output} ${wrong}`);
          const { schema } = stream as ArtifactStream;
          try {
            checkSchema(schema);
          } catch (cause) {
            const reason = cause instanceof Error ? cause.message : String(cause);
            throw new Error(`its output ${output} is no artifact of its kind: ${reason}`, { cause });
          }
          return [output, { schema, batches: checkedBatches(name, output, stream as ArtifactStream, context.signal) }];
        });
        return Object.fromEntries(entries);
      } catch (thrown) {
        throw stageFailure(name, thrown);
      }
    },
  };
}
