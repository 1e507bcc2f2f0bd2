import type { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { TryAgainError } from "@mbs/contracts";
import { asked } from "./s3-connection.ts";
import type { S3Connection } from "./s3-connection.ts";
import { s3Error, StrangeAnswerError } from "./s3-errors.ts";

/** One object that is being read. */
export interface Download {
  readonly key: string;
  /** For messages. */
  readonly where: string;
  /** Bytes from its start; all without it. */
  readonly limit: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A body and what it is a part of. */
interface Answer {
  readonly body: Readable;
  /** The byte of the object that it begins with. */
  readonly start: number;
  /** The byte behind its last. */
  readonly end: number;
  readonly tag: string | undefined;
}

const firstWait = 200;

/** Asks for the rest of an object, from a byte on. */
async function ask(connection: S3Connection, download: Download, start: number, tag: string | undefined): Promise<Answer> {
  const { sdk, client, target } = connection;
  const { key, limit, signal } = download;
  const isPart = start > 0 || limit !== undefined;
  const { Body, ContentLength, ContentRange, ETag } = await client.send(
    new sdk.GetObjectCommand({
      Bucket: target.bucket,
      Key: key,
      ...(isPart && { Range: `bytes=${start}-${limit === undefined ? "" : limit - 1}` }),
      ...(tag !== undefined && { IfMatch: tag }),
    }),
    { ...(signal && { abortSignal: signal }) },
  );
  const body = Body as Readable;
  // a server that does not know ranges sends all of it
  const from = ContentRange === undefined ? 0 : Number(/^bytes (\d+)-/.exec(ContentRange)?.[1] ?? start);
  if (ContentLength === undefined || from > start) {
    body.destroy();
    const why = ContentLength === undefined ? "without a length" : `with bytes from ${from} on where ${start} was asked for`;
    throw new StrangeAnswerError(why);
  }
  const end = Math.min(from + ContentLength, limit ?? Infinity);
  return { body, start: from, end, tag: ETag };
}

/**
 * The bytes of an object. Where the connection breaks or stalls, it goes on from the byte where it stopped, a few times for each
 * piece that came.
 *
 * @param first the answer to the request for all of it
 */
async function* piecesOf(connection: S3Connection, download: Download, first: Answer): AsyncGenerator<Uint8Array> {
  const { where, signal } = download;
  const { limits, target } = connection;
  const { tag } = first;
  let answer = first;
  let position = 0;
  for (let failures = 0; ;) {
    const { body, start, end } = answer;
    let broken: unknown;
    try {
      let at = start;
      for await (const piece of body as AsyncIterable<Uint8Array>) {
        const fresh = piece.subarray(Math.max(0, position - at), Math.max(0, end - at));
        at += piece.length;
        if (fresh.length > 0) {
          position += fresh.length;
          failures = 0;
          yield fresh;
        }
        // more than was asked for
        if (at > end) return;
      }
      if (position >= end) return;
      broken = new TryAgainError(`cannot read ${where}: ${position} of ${end} bytes came; try again`, { where });
    } catch (cause) {
      broken = cause;
    } finally {
      body.destroy();
    }
    failures += 1;
    if (failures >= limits.attempts || signal?.aborted === true) throw s3Error(broken, "read", where, target, signal);
    // a signal ends the wait, and the next request too
    await wait(Math.min(firstWait * 2 ** (failures - 1), limits.stall), undefined, { ...(signal && { signal }) }).catch(() => {});
    answer = await asked(connection, ask(connection, download, position, tag), "read", where, download);
    if (answer.tag !== tag) {
      answer.body.destroy();
      throw new TryAgainError(`cannot read ${where}: it was replaced meanwhile; try again`, { where });
    }
  }
}

/** The bytes of an object; the request for it has been answered. Failures before are those of the SDK. */
export async function downloadObject(connection: S3Connection, download: Download): Promise<AsyncIterable<Uint8Array>> {
  return piecesOf(connection, download, await ask(connection, download, 0, undefined));
}
