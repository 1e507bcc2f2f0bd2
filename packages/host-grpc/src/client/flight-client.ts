import { setTimeout as delay } from "node:timers/promises";
import type { Writable } from "node:stream";
import { Client, connectivityState } from "@grpc/grpc-js";
import type { ClientDuplexStream, ClientReadableStream } from "@grpc/grpc-js";
import { encodeFlight } from "@mbs/artifacts";
import type { FlightMessage } from "@mbs/artifacts";
import { FailedPreconditionError, InterruptedError, MbsError, TryAgainError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { channelOptions, keepaliveOptions, heartbeatMs } from "../protocol/channel.ts";
import type { Keepalive } from "../protocol/channel.ts";
import { flightService } from "../protocol/flight-service.ts";
import { descriptorTypes } from "../protocol/messages.ts";
import type { FlightData } from "../protocol/messages.ts";
import { receive, send } from "../protocol/messages-in-order.ts";
import { foreignServer } from "../protocol/status.ts";
import type { OpenPlace } from "./server-place.ts";

export type ExchangeCall = ClientDuplexStream<FlightData, FlightData>;

/**
 * The messages of an artifact, with empty ones in between while the next one is not there yet. Readers skip them; they show the
 * server that its client is alive, however slow the client's own input is.
 *
 * @param everyMs milliseconds between two empty messages
 */
export async function* withHeartbeats(messages: AsyncIterable<FlightMessage>, everyMs: number): AsyncGenerator<FlightData> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    for (;;) {
      const came = new AbortController();
      const silence = delay(everyMs, undefined, { signal: came.signal }).catch(() => undefined);
      const found = await Promise.race([next, silence]);
      came.abort();
      if (found === undefined) yield {};
      else if (found.done === true) return;
      else {
        yield { dataHeader: found.value.header, dataBody: found.value.body };
        next = iterator.next();
      }
    }
  } finally {
    await iterator.return?.();
  }
}

/** Sends an artifact, the descriptor with its first message, and closes this direction. */
async function sendArtifact(call: Writable, stream: ArtifactStream | undefined, command: Uint8Array | undefined): Promise<void> {
  const flightDescriptor = { type: descriptorTypes.command, cmd: command ?? new Uint8Array(0), path: [] };
  await send(call, { flightDescriptor });
  if (stream) for await (const message of withHeartbeats(encodeFlight(stream), heartbeatMs)) await send(call, message);
  call.end();
}

/** An artifact on its way to the server. What is wrong with it on this side cancels the call, which then says no more than that. */
export class SentArtifact {
  /** Rejects where it was not sent to its end. */
  readonly done: Promise<void>;
  #failure: unknown;

  constructor(
    call: ClientDuplexStream<FlightData, unknown>,
    stream: ArtifactStream | undefined,
    command: Uint8Array | undefined,
  ) {
    this.done = sendArtifact(call, stream, command);
    this.done.catch((error: unknown) => {
      this.#failure = error;
      call.cancel();
    });
  }

  /** What is wrong with it on this side; undefined where nothing is known to be, or the call ended. */
  get fault(): MbsError | undefined {
    return this.#failure instanceof MbsError && !(this.#failure instanceof InterruptedError) ? this.#failure : undefined;
  }
}

/** How long a client waits for its connection, and how soon it notices that it is dead. */
export interface Patience {
  readonly connectMs: number;
  readonly keepalive: Keepalive;
}

/** Calls of one server. They end when the signal fires. */
export class FlightClient {
  readonly #client: Client;
  readonly #place: OpenPlace;
  readonly #signal: AbortSignal;
  readonly #connectMs: number;

  constructor(place: OpenPlace, signal: AbortSignal, { connectMs, keepalive }: Patience) {
    const { host, port } = place.address;
    this.#connectMs = connectMs;
    this.#place = place;
    this.#signal = signal;
    this.#client = new Client(`${host}:${port}`, place.credentials, {
      ...channelOptions,
      ...keepaliveOptions(keepalive),
      ...place.channelOptions,
    });
  }

  /**
   * Waits for the connection to come about or to fail, which the call says then: the library itself would wait without end for a
   * server that takes it and says nothing.
   *
   * @throws {TryAgainError} where the server is silent
   */
  async #connected(): Promise<void> {
    const channel = this.#client.getChannel();
    const deadline = Date.now() + this.#connectMs;
    for (;;) {
      this.#signal.throwIfAborted();
      const state = channel.getConnectivityState(true);
      if (state !== connectivityState.IDLE && state !== connectivityState.CONNECTING) return;
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => reject(this.#signal.reason);
        this.#signal.addEventListener("abort", onAbort, { once: true });
        channel.watchConnectivityState(state, deadline, (late) => {
          this.#signal.removeEventListener("abort", onAbort);
          if (late === undefined) resolve();
          else reject(this.#silent());
        });
      });
    }
  }

  #silent(): TryAgainError {
    const seconds = Number((this.#connectMs / 1000).toPrecision(3));
    return new TryAgainError(
      `${this.#place.via}: no answer within ${seconds} s; check --via, or try again when the server there answers`,
    );
  }

  async #duplex<Response>(
    method: typeof flightService.doExchange | typeof flightService.doPut,
  ): Promise<ClientDuplexStream<FlightData, Response>> {
    await this.#connected();
    const call = this.#client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize as (bytes: Buffer) => Response,
      this.#place.metadata,
    );
    this.#guard(call);
    return call;
  }

  #guard(call: ExchangeCall | ClientDuplexStream<FlightData, unknown> | ClientReadableStream<FlightData>): void {
    const cancel = (): void => call.cancel();
    this.#signal.addEventListener("abort", cancel, { once: true });
    call.on("error", () => undefined);
    call.on("close", () => this.#signal.removeEventListener("abort", cancel));
  }

  exchange(): Promise<ExchangeCall> {
    return this.#duplex<FlightData>(flightService.doExchange);
  }

  /** An artifact of the server's store. */
  async get(address: string): Promise<ClientReadableStream<FlightData>> {
    await this.#connected();
    const { path, requestSerialize, responseDeserialize } = flightService.doGet;
    const request = { ticket: Buffer.from(address) };
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, this.#place.metadata);
    this.#guard(call);
    return call;
  }

  /** Stores an artifact on the server and returns its address. */
  async put(stream: ArtifactStream): Promise<string> {
    const call = await this.#duplex<{ appMetadata: Uint8Array }>(flightService.doPut);
    const answers = receive<{ appMetadata: Uint8Array }>(call);
    const sent = new SentArtifact(call, stream, undefined);
    let address = "";
    try {
      for await (const { appMetadata } of answers) address = Buffer.from(appMetadata).toString("latin1");
      await sent.done;
    } catch (error) {
      throw sent.fault ?? error;
    }
    if (address === "") {
      throw new FailedPreconditionError(`${this.#place.via} took an artifact and told no address: ${foreignServer}`);
    }
    return address;
  }

  close(): void {
    this.#client.close();
  }
}
