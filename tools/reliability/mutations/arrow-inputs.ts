import {
  collect,
  decodeFlight,
  decodeStream,
  encodeBitAllocation,
  encodeFlight,
  encodeLastStates,
  encodeLayers,
  encodeStates,
  encodeStatistics,
  encodeStream,
  readBitAllocation,
} from "@mbs/artifacts";
import type {
  AllocationMetadata,
  FlightMessage,
  LastStatesMetadata,
  LayersMetadata,
  StatesMetadata,
  StatisticsMetadata,
} from "@mbs/artifacts";
import { BadDataError, isObject, valueAt } from "@mbs/contracts";
import type { ArtifactStream, Batch, Field, Schema } from "@mbs/contracts";
import {
  bitAllocation,
  encodeWhole,
  inChunks,
  lastStates,
  layers,
  samples,
  states,
  statistics,
} from "../../../packages/artifacts/test/samples.ts";
import { demand, demandSame, toBytes, toText } from "./input.ts";
import type { Input, Reader } from "./input.ts";

interface Kind {
  readonly encode: () => ArtifactStream;
  readonly read: (stream: ArtifactStream) => AsyncIterable<object>;
}

const bitMetadata = { ...(samples.allocation.metadata as AllocationMetadata), sparsity: 0, bitsPerWeight: 3.5 };

/** The samples of the package's tests without large matrices: most mutations of one would be of its values. */
const kinds: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...Object.entries(samples),
  kindOf("statistics", () => encodeStatistics(statistics.slice(0, 2), samples.statistics.metadata as StatisticsMetadata)),
  kindOf("states", () => encodeStates(states.slice(1), samples.states.metadata as StatesMetadata)),
  kindOf("last-states", () => encodeLastStates(lastStates.slice(0, 1), samples["last-states"].metadata as LastStatesMetadata)),
  kindOf("layers", () => encodeLayers(layers.toSpliced(1, 1), samples.layers.metadata as LayersMetadata)),
  [
    "bit-allocation",
    {
      encode: () => encodeBitAllocation(bitAllocation, bitMetadata),
      read: readBitAllocation,
    },
  ],
]);

function kindOf(name: keyof typeof samples, encode: () => ArtifactStream): [string, Kind] {
  return [name, { encode, read: samples[name].read }];
}

/** An artifact as JSON: its values in plain sight, with no hash. */
interface PlainArtifact {
  readonly kind: string;
  readonly version: number;
  readonly fields: readonly Field[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** column → a value a row; numbers, texts, and bytes as base64. */
  readonly columns: Readonly<Record<string, readonly (number | string)[]>>;
}

const base64 = (values: ArrayBufferView): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");

async function toPlain({ schema, batches }: ArtifactStream): Promise<PlainArtifact> {
  const columns: Record<string, (number | string)[]> = Object.fromEntries(schema.fields.map(({ name }) => [name, []]));
  for (const batch of await collect(batches)) {
    for (let row = 0; row < batch.rows; row++) {
      const values = Object.entries(batch.columns).map(([name, column]) => [name, column[row]] as const);
      const plain = values.map(([name, value]) => [name, typeof value === "object" ? base64(value) : (value ?? 0)] as const);
      for (const [name, value] of plain) columns[name]?.push(value);
    }
  }
  return { kind: schema.kind, version: schema.version, fields: schema.fields, metadata: schema.metadata, columns };
}

function aligned(text: unknown, size: number): ArrayBuffer {
  const bytes = Buffer.from(String(text), "base64");
  return Uint8Array.from(bytes.subarray(0, bytes.length - (bytes.length % size))).buffer;
}

/** A lone surrogate has no bytes in UTF-8. */
const wellFormed = (text: string): string => text.replaceAll(/\p{Surrogate}/gu, "\uFFFD");

const columnOf: Readonly<Record<Field["type"], (values: readonly unknown[]) => Batch["columns"][string]>> = {
  utf8: (values) => values.map((value) => wellFormed(String(value))),
  int32: (values) => Int32Array.from(values, Number),
  int64: (values) => Float64Array.from(values, (value) => Math.trunc(Number(value)) || 0),
  float64: (values) => Float64Array.from(values, Number),
  "list<int32>": (values) => values.map((value) => new Int32Array(aligned(value, 4))),
  "list<float32>": (values) => values.map((value) => new Float32Array(aligned(value, 4))),
  binary: (values) => values.map((value) => new Uint8Array(aligned(value, 1))),
};

const notMade = (what: string): never => {
  throw new BadDataError(`no artifact can be made of this: ${what}`);
};

/** The artifact that JSON says; what cannot be said in Arrow counts as refused. */
function fromPlain(bytes: Uint8Array): ArtifactStream {
  const { kind, version, fields, metadata, columns } = JSON.parse(toText(bytes)) as Partial<PlainArtifact>;
  if (typeof kind !== "string" || typeof version !== "number" || !isObject(metadata) || !isObject(columns))
    return notMade("no schema");
  if (!Array.isArray(fields)) return notMade("no fields");
  const known = (fields as unknown[]).filter(
    (field): field is Field & Record<string, unknown> =>
      isObject(field) && typeof field["name"] === "string" && Object.hasOwn(columnOf, String(field["type"])),
  );
  const schema: Schema = {
    kind,
    version,
    fields: known.map(({ name, type }) => ({ name, type })),
    metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, wellFormed(String(value))])),
  };
  const lists = known.map(({ name, type }) => {
    const values: unknown = Object.hasOwn(columns, name) ? columns[name] : [];
    return [name, type, Array.isArray(values) ? values : []] as const;
  });
  const rows = Math.min(...lists.map(([, , values]) => values.length));
  if (!(rows > 0 && rows < Infinity)) return notMade("no rows");
  const batch: Batch = {
    rows,
    columns: Object.fromEntries(lists.map(([name, type, values]) => [name, columnOf[type](values.slice(0, rows))])),
  };
  return {
    schema,
    batches: (async function* () {
      yield batch;
    })(),
  };
}

/** The bytes of an artifact of which columns and rows do not fit each other cannot be made. */
async function encodePlain(bytes: Uint8Array): Promise<Buffer> {
  try {
    return await encodeWhole(fromPlain(bytes));
  } catch (error) {
    return notMade(String(error));
  }
}

/** A small artifact of each kind, as JSON. */
const plainSamples = async (): Promise<ReadonlyMap<string, Uint8Array>> =>
  new Map(await Promise.all([...kinds].map(async ([name, { encode }]) => [name, toBytes(await toPlain(encode()))] as const)));

const recordsOf = (kind: string, stream: ArtifactStream): AsyncIterable<object> => valueAt(kinds, kind).read(stream);

/** The records of a stream and its address, read to its end. */
async function readRecords(kind: string, stream: Awaited<ReturnType<typeof decodeStream>>) {
  const records = await collect(recordsOf(kind, stream));
  return { records, address: (await stream.receipt).address };
}

/** Records as JSON, whatever their arrays are views of. */
const recordText = (records: readonly object[]): string =>
  JSON.stringify(records, (_key, value: unknown) => (ArrayBuffer.isView(value) ? base64(value) : value));

/** Bytes of artifacts of each kind: hashes protect every byte, so that no other bytes may be read. */
export const arrow: Reader = async () => {
  const inputs: Input[] = [];
  for (const [kind, plain] of await plainSamples()) {
    const bytes = await encodePlain(plain);
    inputs.push({
      name: kind,
      bytes,
      form: "bytes",
      async read(given) {
        await readRecords(kind, await decodeStream(inChunks(given)));
        demand(Buffer.compare(given, bytes) === 0, "an artifact of other bytes was read");
      },
    });
  }
  return inputs;
};

/** Artifacts of each kind with other values and right hashes: what is read must be what a reader of the same bytes gets again. */
export const arrowContent: Reader = async () =>
  [...(await plainSamples())].map(([kind, plain]): Input => ({
    name: kind,
    bytes: plain,
    form: "json",
    async read(given) {
      const bytes = await encodePlain(given);
      const { records, address } = await readRecords(kind, await decodeStream(inChunks(bytes)));
      const { batches, schema } = await decodeStream(inChunks(bytes));
      const again = await decodeStream(encodeStream({ schema, batches }).bytes);
      const second = await readRecords(kind, again);
      demandSame(second.address, address, "the address of the same values, written again");
      demandSame(recordText(second.records), recordText(records), "the records of the same values, written again");
    },
  }));

/** Messages of Arrow Flight, which have no hashes: one after the other in JSON, as base64. */
export const flight: Reader = async () =>
  Promise.all(
    [...(await plainSamples())].map(async ([kind, plain]): Promise<Input> => {
      const messages = await collect(encodeFlight(fromPlain(plain)));
      // sizes and bytes of one message after the other
      const bytes = Buffer.concat(
        messages.flatMap(({ header, body }) => {
          const sizes = Buffer.alloc(8);
          sizes.writeUInt32LE(header.length, 0);
          sizes.writeUInt32LE(body.length, 4);
          return [sizes, header, body];
        }),
      );
      return {
        name: kind,
        bytes,
        form: "bytes",
        async read(given) {
          const stream = await decodeFlight(flightMessages(given));
          const schema = stream.schema;
          const batches = await collect(stream.batches);
          const { address } = await stream.receipt;
          const replayed = (): ArtifactStream => ({
            schema,
            batches: (async function* () {
              yield* batches;
            })(),
          });
          const again = await decodeFlight(encodeFlight(replayed()));
          await collect(again.batches);
          demandSame((await again.receipt).address, address, "the address of the same batches, sent again");
          await collect(recordsOf(kind, replayed()));
        },
      };
    }),
  );

async function* flightMessages(bytes: Uint8Array): AsyncGenerator<FlightMessage> {
  const view = Buffer.from(bytes);
  for (let place = 0; place + 8 <= view.length;) {
    const [header, body] = [view.readUInt32LE(place), view.readUInt32LE(place + 4)];
    const start = place + 8;
    place = start + header + body;
    yield { header: view.subarray(start, start + header), body: view.subarray(start + header, place) };
  }
}
