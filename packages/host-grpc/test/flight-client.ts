import { Client, credentials } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { receive } from "../src/messages-in-order.ts";
import { flightService } from "../src/protocol/flight-service.ts";
import { messages } from "../src/protocol/messages.ts";
import type { FlightData, FlightInfo, StageCall, StageList } from "../src/protocol/messages.ts";

export const callOf = (call: Partial<StageCall>): FlightData => ({
  flightDescriptor: {
    type: 2,
    cmd: messages.StageCall.encode({ stage: "", options: {}, inputs: {}, output: "", threads: 1, ...call }),
    path: [],
  },
});

/** A plain Flight client, as any other program would be one. */
export class FlightClient {
  readonly client: Client;

  constructor(port: number) {
    this.client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { "grpc.max_send_message_length": -1 });
  }

  exchange(deadlineMs?: number) {
    const { path, requestSerialize, responseDeserialize } = flightService.doExchange;
    return this.client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
    );
  }

  put() {
    const { path, requestSerialize, responseDeserialize } = flightService.doPut;
    return this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  }

  get(ticket: string) {
    const { path, requestSerialize, responseDeserialize } = flightService.doGet;
    return this.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { ticket: Buffer.from(ticket) });
  }

  async list(): Promise<FlightInfo[]> {
    const { path, requestSerialize, responseDeserialize } = flightService.listFlights;
    return all(this.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {}));
  }

  async listStages(): Promise<StageList> {
    const { path, requestSerialize, responseDeserialize } = flightService.doAction;
    const results = await all<{ body: Uint8Array }>(
      this.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { type: "list-stages" }),
    );
    return messages.StageList.decode(results[0]?.body ?? new Uint8Array(0));
  }

  async info(...path: string[]): Promise<FlightInfo> {
    const { path: name, requestSerialize, responseDeserialize } = flightService.getFlightInfo;
    const descriptor = { type: 1, cmd: new Uint8Array(0), path };
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(name, requestSerialize, responseDeserialize, descriptor, (error, value) =>
        value ? resolve(value) : reject(error ?? new Error("no answer")),
      );
    });
  }

  close(): void {
    this.client.close();
  }
}

/** All messages of a call. */
export async function all<T>(call: Parameters<typeof receive>[0]): Promise<T[]> {
  const list: T[] = [];
  for await (const message of receive<T>(call)) list.push(message);
  return list;
}

/** The error that a call ends with. */
export async function errorOf(work: Promise<unknown>): Promise<ServiceError> {
  try {
    await work;
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error("the call went well");
}
