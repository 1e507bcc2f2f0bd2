import protobuf from "protobufjs/light.js";
import { descriptors } from "./descriptors.ts";

/** A message type of protos/, both ways. */
export interface MessageCodec<T> {
  encode(message: T): Buffer;
  /** Absent fields have their defaults; bytes are views of what was received. */
  decode(bytes: Uint8Array): T;
}

export interface FlightDescriptor {
  readonly type: number;
  readonly cmd: Uint8Array;
  readonly path: readonly string[];
}

/** `FlightDescriptor.type` */
export const descriptorTypes = { path: 1, command: 2 } as const;

export interface FlightData {
  readonly flightDescriptor?: FlightDescriptor | null;
  readonly dataHeader?: Uint8Array;
  readonly appMetadata?: Uint8Array;
  readonly dataBody?: Uint8Array;
}

/** Bytes of all that a message of Flight carries; 0 of one that is no data. */
export function bytesOf({ flightDescriptor, dataHeader, appMetadata, dataBody }: Partial<FlightData>): number {
  const { cmd, path = [] } = flightDescriptor ?? {};
  const own = [cmd, dataHeader, appMetadata, dataBody].reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0);
  return path.reduce((sum, part) => sum + Buffer.byteLength(part), own);
}

export interface Ticket {
  readonly ticket: Uint8Array;
}

export interface FlightInfo {
  readonly schema: Uint8Array;
  readonly flightDescriptor: FlightDescriptor;
  readonly endpoint: readonly { readonly ticket: Ticket }[];
  readonly totalRecords: number;
  readonly totalBytes: number;
  readonly appMetadata: Uint8Array;
}

/** One value of an option; one of the fields is set. */
export interface Value {
  readonly flag?: boolean;
  readonly number?: number;
  readonly text?: string;
  readonly list?: { readonly items: readonly string[] };
}

export interface StageCall {
  readonly stage: string;
  readonly options: Readonly<Record<string, Value>>;
  readonly inputs: Readonly<Record<string, { readonly items: readonly string[] }>>;
  readonly output: string;
  readonly threads: number;
}

export interface StageResult {
  readonly outputs: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
  /** Of the output that came back. */
  readonly address: string;
}

export interface StageList {
  readonly stages: readonly {
    readonly name: string;
    readonly summary: string;
    readonly inputs: readonly { name: string; kinds: readonly string[]; optional: boolean; many: boolean; description: string }[];
    readonly outputs: readonly { name: string; kind: string; description: string }[];
    readonly options: readonly {
      name: string;
      kind: string;
      description: string;
      required: boolean;
      choices: readonly string[];
    }[];
  }[];
}

const root = protobuf.Root.fromJSON(descriptors);

function codec<T extends object>(name: string): MessageCodec<T> {
  const type = root.lookupType(name);
  return {
    encode: (message) => type.encode(type.fromObject(message)).finish() as Buffer,
    decode: (bytes) => type.toObject(type.decode(bytes), { defaults: true, arrays: true, objects: true, longs: Number }) as T,
  };
}

const flight = <T extends object>(name: string): MessageCodec<T> => codec(`arrow.flight.protocol.${name}`);

/** Codecs by message name. */
export const messages = {
  Empty: flight<object>("Empty"),
  Criteria: flight<object>("Criteria"),
  Action: flight<{ readonly type: string; readonly body?: Uint8Array }>("Action"),
  ActionType: flight<{ readonly type: string; readonly description: string }>("ActionType"),
  Result: flight<{ readonly body: Uint8Array }>("Result"),
  SchemaResult: flight<{ readonly schema: Uint8Array }>("SchemaResult"),
  FlightDescriptor: flight<FlightDescriptor>("FlightDescriptor"),
  FlightInfo: flight<FlightInfo>("FlightInfo"),
  FlightData: flight<FlightData>("FlightData"),
  Ticket: flight<Ticket>("Ticket"),
  PutResult: flight<{ readonly appMetadata: Uint8Array }>("PutResult"),
  StageCall: codec<StageCall>("mbs.v1.StageCall"),
  StageResult: codec<StageResult>("mbs.v1.StageResult"),
  StageList: codec<StageList>("mbs.v1.StageList"),
};
