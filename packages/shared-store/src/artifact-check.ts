import { createReadStream } from "node:fs";
import { decodeStream, openNamed } from "@mbs/artifacts";
import { BadDataError, InterruptedError, UsageError } from "@mbs/contracts";
import type { KeptArtifact, SharedStore, StoreCall } from "./shared-store.ts";

/** What a user does about a damaged artifact. */
const remedy = (address: string, place: string): string =>
  `mbs store verify ${address} --store ${place} --remove-damaged removes it; then make it again`;

/** Which artifact is checked, where it lies and where the user gave that. */
export interface Checked {
  readonly address: string;
  readonly where: string;
  readonly place: string;
}

/** @throws {InterruptedError} once the signal has fired */
export function throwIfStopped(signal: AbortSignal | undefined, doing: string, where: string): void {
  if (signal?.aborted === true) throw new InterruptedError(`stopped while ${doing} ${where}; run again to go on`, { where });
}

/**
 * Reads an artifact to its end and compares its content with its address.
 *
 * @throws {BadDataError} where it is damaged or holds something else
 * @throws {InterruptedError} when the signal fires
 */
export async function requireContent(
  bytes: AsyncIterable<Uint8Array>,
  { address, where, place }: Checked,
  { signal }: StoreCall,
): Promise<void> {
  try {
    const { batches, receipt } = await openNamed(bytes, where);
    for await (const batch of batches) {
      void batch;
      throwIfStopped(signal, "reading", where);
    }
    const found = (await receipt).address;
    if (found !== address) {
      throw new BadDataError(`${where}: its content has the address ${found}; ${remedy(address, place)}`, { address, found });
    }
  } catch (cause) {
    if (!(cause instanceof BadDataError) || cause.facts["found"] !== undefined) throw cause;
    const { offset } = cause.facts;
    const at = offset === undefined ? "" : ` at byte ${offset}`;
    throw new BadDataError(`${where} is damaged${at}; ${remedy(address, place)}`, { ...cause.facts, address }, { cause });
  }
}

/** The bytes of a file in large chunks. */
export const fileBytes = (path: string): AsyncIterable<Uint8Array> => createReadStream(path, { highWaterMark: 1 << 20 });

/** Reads an artifact of a store and compares its content with its address. @throws as SharedStore.get */
export async function verifyArtifact(store: SharedStore, address: string, call: StoreCall = {}): Promise<void> {
  await requireContent(store.read(address, call), { address, where: store.where(address), place: store.place }, call);
}

/** Bytes from the start in which the kind of most artifacts is found; the rest have large metadata. */
const shortStart = 16 * 1024;
/** No schema is longer than that. */
const longStart = 1024 * 1024 + 8;

/** Joins bytes in memory. @param most ends with the piece that goes beyond */
export async function gather(bytes: AsyncIterable<Uint8Array>, most = Infinity): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of bytes) {
    parts.push(part);
    length += part.length;
    if (length > most) break;
  }
  return Buffer.concat(parts);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/**
 * The kind of an artifact, from its start: "segments".
 *
 * @returns undefined where its start is damaged, or it is not there any more
 * @throws as SharedStore.read
 */
export async function artifactKind(
  store: SharedStore,
  { address, bytes }: KeptArtifact,
  call: StoreCall = {},
): Promise<string | undefined> {
  // some servers do not end where more is asked for than there is
  const limits = [shortStart, longStart].map((limit) => Math.min(limit, bytes)).filter((limit) => limit > 0);
  for (const limit of limits) {
    try {
      const start = await gather(store.read(address, { ...call, limit }));
      const kind = await decodeStream(once(start)).then(
        ({ schema }) => schema.kind,
        () => undefined,
      );
      if (kind !== undefined || limit === bytes) return kind;
    } catch (cause) {
      if (cause instanceof UsageError && cause.facts["missing"] === true) return undefined;
      throw cause;
    }
  }
  return undefined;
}
