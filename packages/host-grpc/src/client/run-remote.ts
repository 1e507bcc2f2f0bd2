import { basename, resolve } from "node:path";
import { decodeFlight, ScratchArtifact } from "@mbs/artifacts";
import type { DecodedStream } from "@mbs/artifacts";
import { BadDataError, DeniedError, InterruptedError } from "@mbs/contracts";
import type {
  ArtifactStream,
  Batch,
  ResourceKind,
  ServerPlace,
  Stage,
  StageContext,
  StageInputs,
  StageOptions,
  StageOutputs,
} from "@mbs/contracts";
import { defaultConnectMs, defaultKeepalive } from "../protocol/channel.ts";
import type { Keepalive } from "../protocol/channel.ts";
import { messages } from "../protocol/messages.ts";
import type { FlightData, StageResult, Value } from "../protocol/messages.ts";
import { receive, withoutDescriptors } from "../protocol/messages-in-order.ts";
import { toValue } from "../protocol/option-values.ts";
import { fromStatus, isUnreachable } from "../protocol/status.ts";
import { FlightClient, SentArtifact } from "./flight-client.ts";
import type { ExchangeCall } from "./flight-client.ts";
import { openPlace } from "./server-place.ts";
import type { OpenPlace } from "./server-place.ts";
import { tlsFault } from "./tls-fault.ts";

export interface RemoteCall extends ServerPlace {
  readonly stage: Stage;
  readonly inputs: StageInputs;
  /** Parsed options; resources are paths of this machine. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly context: StageContext;
  /** The name of a local resource for the server: its address, or a built-in name. */
  readonly nameResource: (kind: ResourceKind, path: string) => Promise<string>;
  /** Milliseconds that the server may take to answer the connection. */
  readonly connectMs?: number;
  readonly keepalive?: Keepalive;
}

/** Labels that the stage would make of local paths, which are not sent to the server. */
function labelsOf({ options: table }: Stage, options: StageOptions): StageOptions {
  const labels = Object.entries(table).flatMap(([name, option]): [string, unknown][] => {
    const by = option.kind === "resource" && option.many === true ? option.labelledBy : undefined;
    const paths = options[name];
    if (by === undefined || options[by] !== undefined || !Array.isArray(paths)) return [];
    return [[by, paths.map((path) => basename(resolve(String(path))))]];
  });
  return Object.fromEntries(labels);
}

async function toValues({ stage, options, nameResource }: RemoteCall): Promise<Record<string, Value>> {
  const values: Record<string, Value> = {};
  for (const [name, value] of Object.entries({ ...options, ...labelsOf(stage, options) })) {
    if (value === undefined) continue;
    const option = Object.hasOwn(stage.options, name) ? stage.options[name] : undefined;
    if (option?.kind !== "resource") values[name] = toValue(value);
    else {
      const paths = Array.isArray(value) ? value.map(String) : [value as string];
      values[name] = toValue(await Promise.all(paths.map((path) => nameResource(option.resource, path))));
    }
  }
  return values;
}

function parseResult(bytes: Uint8Array): StageResult {
  try {
    return messages.StageResult.decode(bytes);
  } catch (cause) {
    throw new BadDataError("metadata that are no StageResult", {}, { cause });
  }
}

/** The messages that come back, without the last one, whose metadata is the result. */
async function* takingResult(call: ExchangeCall, keep: (result: StageResult) => void): AsyncGenerator<FlightData> {
  for await (const message of receive<FlightData>(call)) {
    const { appMetadata, dataHeader } = message;
    if (appMetadata && appMetadata.length > 0 && (dataHeader?.length ?? 0) === 0) keep(parseResult(appMetadata));
    else yield message;
  }
}

/** An artifact that a server sends. @throws {BadDataError} here or while its batches are read, naming the server */
async function receiveArtifact(incoming: AsyncIterable<FlightData>, via: string): Promise<DecodedStream> {
  const named = (cause: unknown): unknown =>
    cause instanceof BadDataError
      ? new BadDataError(`${via}: what came is no whole artifact (${cause.message}); call again, or check --via`, {}, { cause })
      : cause;
  async function* batches(stream: DecodedStream): AsyncGenerator<Batch> {
    try {
      yield* stream.batches;
    } catch (cause) {
      throw named(cause);
    }
  }
  try {
    const stream = await decodeFlight(withoutDescriptors(incoming));
    return { ...stream, batches: batches(stream) };
  } catch (cause) {
    throw named(cause);
  }
}

/** A failed call as an error that says what, where and the remedy. */
async function failure(error: unknown, place: OpenPlace, signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return new InterruptedError("interrupted", {}, { cause: error });
  const fault = isUnreachable(error) ? await tlsFault(place) : undefined;
  return fault === undefined ? fromStatus(error, place.via) : new DeniedError(`${place.via}: ${fault}`, {}, { cause: error });
}

/** What a call needs of its inputs: the artifact that streams in, and the addresses of those that were stored before. */
interface SentInputs {
  readonly streamed: ArtifactStream | undefined;
  readonly stored: Readonly<Record<string, { readonly items: readonly string[] }>>;
}

async function storeInputs(client: FlightClient, { stage, inputs, context }: RemoteCall): Promise<SentInputs> {
  const [first, ...others] = Object.entries(inputs);
  const [streamed, ...more] = first?.[1] ?? [];
  if (more.length > 0 || others.length > 0) context.progress({ activity: "sending inputs", done: 0, unit: "artifacts" });
  const stored: Record<string, { items: string[] }> = {};
  const store = async (name: string, streams: readonly ArtifactStream[]): Promise<void> => {
    const items: string[] = [];
    for (const stream of streams) items.push(await client.put(stream));
    if (items.length > 0) stored[name] = { items };
  };
  for (const [name, streams] of others) await store(name, streams);
  // The child reads one artifact from its pipe; where there are several, it reads all of them from the store.
  if (first && streamed && (more.length > 0 || stage.inputs[first[0]]?.optional === true)) {
    await store(...first);
    return { streamed: undefined, stored };
  }
  return { streamed, stored };
}

/** The batches of what arrived, which must be what was sent: `sent` says its address at the end. */
async function* checked(stream: DecodedStream, sent: () => string | undefined, via: string): AsyncGenerator<Batch> {
  yield* stream.batches;
  const { address } = await stream.receipt;
  if (sent() === address) return;
  throw new BadDataError(`${via}: what arrived is not what was sent (${address}, ${sent() ?? "no result"}); call again`);
}

/** An output that the server has stored. */
async function openStored(client: FlightClient, name: string, address: string | undefined, via: string): Promise<ArtifactStream> {
  if (address === undefined) throw new BadDataError(`${via} sent no address of the output ${name}; compare the versions of both`);
  const stream = await receiveArtifact(receive<FlightData>(await client.get(address)), via);
  return { schema: stream.schema, batches: checked(stream, () => address, via) };
}

/** The same artifact in a temporary file, which goes when it has been read: outputs are written side by side, but arrive in turn. */
async function keep(stream: ArtifactStream): Promise<ArtifactStream> {
  const kept = await ScratchArtifact.from(stream);
  const { schema, batches } = await kept.open();
  async function* all(): AsyncGenerator<Batch> {
    try {
      yield* batches;
    } finally {
      kept.close();
    }
  }
  return { schema, batches: all() };
}

/**
 * Runs a stage on a server: its first input streams there while its first output streams back. Further outputs are fetched from
 * the server's store when the stage is done.
 *
 * @returns the outputs, as `stage.run` would give them
 */
export async function runRemote(remote: RemoteCall): Promise<StageOutputs> {
  const { via, stage, context } = remote;
  const place = await openPlace(remote, context.warn);
  const { connectMs = defaultConnectMs, keepalive = defaultKeepalive } = remote;
  const client = new FlightClient(place, context.signal, { connectMs, keepalive });
  try {
    const { streamed, stored } = await storeInputs(client, remote);
    const command = messages.StageCall.encode({
      stage: stage.name,
      options: await toValues(remote),
      inputs: stored,
      output: "",
      threads: context.threads,
    });
    const call = await client.exchange();
    const sent = new SentArtifact(call, streamed, command);
    let result: StageResult | undefined;
    const stream = await receiveArtifact(
      takingResult(call, (found) => (result = found)),
      via,
    ).catch((error: unknown) => {
      throw sent.fault ?? error;
    });

    async function* batches(close: () => void): AsyncGenerator<Batch> {
      let done = 0;
      try {
        for await (const batch of checked(stream, () => result?.address, via)) {
          yield batch;
          done += 1;
          context.progress({ activity: `${stage.name} via ${via}`, done, unit: "batches" });
        }
        for (const warning of result?.warnings ?? []) context.warn(warning);
      } catch (error) {
        throw sent.fault ?? (await failure(error, place, context.signal));
      } finally {
        close();
      }
    }
    const [first = "", ...others] = Object.keys(stage.outputs);
    if (others.length === 0) return { [first]: { schema: stream.schema, batches: batches(() => client.close()) } };
    const outputs = { [first]: await keep({ schema: stream.schema, batches: batches(() => undefined) }) };
    for (const name of others) outputs[name] = await keep(await openStored(client, name, result?.outputs[name], via));
    client.close();
    return outputs;
  } catch (error) {
    client.close();
    throw await failure(error, place, context.signal);
  }
}
