import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { BadDataError, InputOutputError } from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import { fetchProgress } from "./fetch-progress.ts";
import { refusedFile } from "./hub-access.ts";
import { patientFetch, reasonOf } from "./patient-fetch.ts";

/** A file as the Hub lists it. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** Hash of its content: SHA-256 of a large file, git's SHA-1 of a small one. */
  readonly etag: string;
}

/** Attempts before a broken connection is an error. */
const attempts = 5;

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0;

/** Whether a file has the content that the Hub lists. */
export async function isWhole(path: string, { size, etag }: Pick<HubFile, "size" | "etag">): Promise<boolean> {
  const hash = createHash(etag.length === 64 ? "sha256" : "sha1");
  if (etag.length !== 64) hash.update(`blob ${size}\0`);
  for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array);
  return hash.digest("hex") === etag;
}

/** Appends what is missing of a file. */
async function fetchRest(
  url: string,
  token: string | undefined,
  { path, size }: HubFile,
  partial: string,
  progress: (progress: Progress) => void,
): Promise<void> {
  const offset = await sizeOf(partial);
  if (offset >= size && size > 0) return;
  const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  const response = await patientFetch(url, { headers });
  const { status } = response;
  if (status >= 500 || status === 429) throw new InputOutputError(`${url} answers ${status}; try again later`, { url, status });
  if (!response.ok || response.body === null) throw refusedFile(url, status);
  // a server that does not support ranges sends the whole file
  const file = await open(partial, status === 206 ? "a" : "w");
  let bytes = status === 206 ? offset : 0;
  try {
    for await (const piece of response.body as AsyncIterable<Uint8Array>) {
      await file.appendFile(piece);
      bytes += piece.length;
      progress(fetchProgress(path, bytes, size));
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Downloads a file, continuing where an earlier attempt stopped, and checks size and content before it gets its name.
 *
 * @param target its path in the end; until then the bytes are in a file beside it
 * @param progress called while bytes come
 * @throws {InputOutputError} when the connection keeps breaking; the received bytes are kept for the next run
 * @throws {BadDataError} when the content is not what the Hub says
 */
export async function downloadFile(
  url: string,
  token: string | undefined,
  file: HubFile,
  target: string,
  progress: (progress: Progress) => void = () => {},
): Promise<void> {
  const partial = `${target}.mbs.incomplete`;
  if ((await sizeOf(partial)) > file.size) await rm(partial);
  for (let attempt = 1; ; attempt++) {
    try {
      await fetchRest(url, token, file, partial, progress);
      if ((await sizeOf(partial)) >= file.size) break;
      throw new TypeError("the connection ended early");
    } catch (cause) {
      if (cause instanceof BadDataError || cause instanceof InputOutputError) throw cause;
      if (attempt < attempts) continue;
      throw new InputOutputError(
        `${file.path}: the download broke off after ${await sizeOf(partial)} of ${file.size} bytes (${reasonOf(cause)}); run again to continue`,
        { file: file.path, size: file.size },
        { cause },
      );
    }
  }
  if ((await sizeOf(partial)) !== file.size || !(await isWhole(partial, file))) {
    const size = await sizeOf(partial);
    await rm(partial);
    throw new BadDataError(
      `${file.path}: received ${size} bytes, not the announced ${file.size} bytes with hash ${file.etag}; run again to download it again`,
      { file: file.path, expected: file.etag },
    );
  }
  await rename(partial, target);
}
