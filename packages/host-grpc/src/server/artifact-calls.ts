import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import { decodeFlight, encodeFlight, encodeSchemaMessage } from "@mbs/artifacts";
import type { ArtifactStore } from "@mbs/artifacts";
import { MbsError, UsageError } from "@mbs/contracts";
import { withinBytes } from "./call-bytes.ts";
import type { CallWatch } from "./call-watch.ts";
import { receive, send, withoutDescriptors } from "../protocol/messages-in-order.ts";
import { descriptorTypes } from "../protocol/messages.ts";
import type { FlightData, FlightDescriptor, FlightInfo, Ticket } from "../protocol/messages.ts";
import { notStored, requireAddress } from "./served-resources.ts";
import type { ServedStore } from "./served-store.ts";

const text = (value: string): Buffer => Buffer.from(value, "utf8");

async function requireStored(store: ArtifactStore, address: string, remedy?: string): Promise<void> {
  if (!(await store.has(requireAddress(address)))) throw notStored(address, { address }, remedy);
}

/** Opens an artifact of the store. */
async function openStored(store: ArtifactStore, address: string): ReturnType<ArtifactStore["open"]> {
  await requireStored(store, address);
  return store.open(address);
}

async function describe(store: ArtifactStore, address: string): Promise<FlightInfo> {
  const { kind, rows, bytes } = await store.describe(address);
  const stream = await store.open(address);
  await stream.batches[Symbol.asyncIterator]().return?.();
  return {
    schema: encodeSchemaMessage(stream.schema),
    flightDescriptor: { type: descriptorTypes.path, cmd: new Uint8Array(0), path: [address] },
    endpoint: [{ ticket: { ticket: text(address) } }],
    totalRecords: rows,
    totalBytes: bytes,
    appMetadata: text(kind),
  };
}

/** The address that a descriptor's path names. */
function addressOf({ path }: FlightDescriptor): string {
  const [address, ...more] = path;
  if (address === undefined || more.length > 0)
    throw new UsageError("the descriptor's path must be one address (64 digits 0-9a-f)");
  return requireAddress(address);
}

/** Whether an artifact cannot be read for what its file is: others can. */
const isOfFile = (error: unknown): error is MbsError =>
  error instanceof MbsError && ["bad-data", "failed-precondition", "denied"].includes(error.tag);

/** ListFlights: every artifact of the store, but for those that are removed meanwhile or damaged. None counts as used. */
export async function listFlights(
  store: ServedStore,
  call: ServerWritableStream<object, FlightInfo>,
  watch: CallWatch,
): Promise<void> {
  const { artifacts } = store;
  for (const address of await artifacts.addresses()) {
    const found = await artifacts
      .unlessGone(address, () => describe(artifacts, address))
      .catch((error: unknown) => {
        if (!isOfFile(error)) throw error;
        store.leaveOut(address, error);
        return undefined;
      });
    if (found !== undefined) await send(call, found, watch);
  }
}

/** GetFlightInfo: one artifact by its address. */
export async function getFlightInfo(store: ArtifactStore, descriptor: FlightDescriptor): Promise<FlightInfo> {
  const address = addressOf(descriptor);
  const found = await store.unlessGone(address, () => describe(store, address));
  if (found === undefined) throw notStored(address, { address });
  return found;
}

/** GetSchema: of one artifact by its address. */
export async function getSchema(store: ArtifactStore, descriptor: FlightDescriptor): Promise<{ schema: Uint8Array }> {
  const stream = await openStored(store, addressOf(descriptor));
  await stream.batches[Symbol.asyncIterator]().return?.();
  return { schema: encodeSchemaMessage(stream.schema) };
}

/** DoGet: an artifact whose ticket is its address. */
export async function doGet(store: ServedStore, call: ServerWritableStream<Ticket, FlightData>, watch: CallWatch): Promise<void> {
  const address = requireAddress(Buffer.from(call.request.ticket).toString("latin1"));
  await store.using([address], async () => {
    const stream = await openStored(store.artifacts, address);
    for await (const { header, body } of encodeFlight(stream)) await send(call, { dataHeader: header, dataBody: body }, watch);
  });
}

/**
 * DoPut: stores an artifact; the app_metadata of the answer is its address.
 *
 * @param callBytes most bytes that the call may send
 */
export async function doPut(
  store: ServedStore,
  call: ServerDuplexStream<FlightData, { appMetadata: Uint8Array }>,
  watch: CallWatch,
  callBytes: number,
): Promise<void> {
  const incoming = withinBytes(receive<FlightData>(call, watch), callBytes);
  const stream = await decodeFlight(withoutDescriptors(incoming));
  const { address } = await store.put(stream, watch.signal);
  await send(call, { appMetadata: text(address) }, watch);
}

/** DoAction delete-artifact: removes the artifact whose address is the body. */
export async function deleteArtifact(store: ServedStore, body: Uint8Array | undefined): Promise<void> {
  const address = Buffer.from(body ?? []).toString("latin1");
  await requireStored(store.artifacts, address, "it has been removed already, or the address is wrong");
  await store.remove(address);
}
