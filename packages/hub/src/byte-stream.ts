import { BadDataError, InputOutputError } from "@mbs/contracts";
import type { HubFile } from "./download-file.ts";
import { refusedFile, tokenOf } from "./hub-access.ts";
import { patientFetch, reasonOf } from "./patient-fetch.ts";

/** Times that a broken connection is taken up again without a byte in between. */
const attempts = 5;
const mostRedirects = 5;

const plain = (etag: string): string => etag.replace(/^W\//, "").replaceAll('"', "");

/** @throws {BadDataError} where the Hub says that a file is another one than it listed */
function checkIdentity({ headers }: Response, url: string, { path, size, etag }: HubFile): void {
  const [linkedTag, linkedSize] = [headers.get("x-linked-etag"), headers.get("x-linked-size")];
  if ((linkedTag === null || plain(linkedTag) === etag) && (linkedSize === null || Number(linkedSize) === size)) return;
  throw new BadDataError(`${path}: ${url} has other content than the Hub listed (${linkedTag ?? linkedSize}); run again`, {
    file: path,
    expected: etag,
  });
}

/** Asks for bytes from `start` to before `end`, over redirects to where they are stored. The token goes to the Hub alone. */
async function request(url: string, file: HubFile, start: number, end: number): Promise<Response> {
  const token = tokenOf();
  const { origin } = new URL(url);
  let target = url;
  for (let redirects = 0; ; redirects++) {
    const headers: Record<string, string> = { range: `bytes=${start}-${end - 1}` };
    if (token !== undefined && new URL(target).origin === origin) headers["authorization"] = `Bearer ${token}`;
    const response = await patientFetch(target, { headers, redirect: "manual" });
    checkIdentity(response, target, file);
    const location = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || location === null || redirects === mostRedirects) return response;
    await response.body?.cancel();
    target = new URL(location, target).href;
  }
}

/** @throws {BadDataError} where an answer is not the bytes asked for; {InputOutputError} where there may be one later */
function checkAnswer({ status, headers }: Response, url: string, { path, size }: HubFile, start: number, end: number): void {
  if (status >= 500 || status === 429 || status === 408) {
    throw new InputOutputError(`${path}: ${url} answers ${status}; try again later`, { url, status });
  }
  if (status >= 400 || status < 200) throw refusedFile(url, status);
  const whole = status === 200 && start === 0 && end === size;
  if (whole || headers.get("content-range") === `bytes ${start}-${end - 1}/${size}`) return;
  throw new BadDataError(
    `${path}: ${url} sends ${headers.get("content-range") ?? "all of it"} where bytes ${start}-${end - 1} of ${size} were asked for; name a Hub that answers range requests with HF_ENDPOINT`,
    { file: path, status },
  );
}

/**
 * The bytes of a file on the Hub from `start` to before `end`, as they come. Where the connection breaks the rest is asked for.
 *
 * A part cannot be checked against the hash of the whole; what the Hub says of the file's hash and size is.
 *
 * @param url of fileUrl
 * @throws {InputOutputError} when the connection keeps breaking
 * @throws {BadDataError} when access is denied, or other bytes come than were asked for
 */
export async function* streamBytes(
  url: string,
  file: HubFile,
  start = 0,
  end = file.size,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failures = 0;
  for (let next = start; next < end;) {
    try {
      const response = await request(url, file, next, end);
      checkAnswer(response, url, file, next, end);
      if (response.body === null) throw new TypeError("no body");
      for await (const piece of response.body as AsyncIterable<Uint8Array>) {
        if (next + piece.length > end) throw new BadDataError(`${file.path}: ${url} sends too many bytes`, { file: file.path });
        next += piece.length;
        failures = 0;
        yield piece;
      }
      if (next < end) throw new TypeError("the connection ended early");
    } catch (cause) {
      if (cause instanceof BadDataError || (cause instanceof InputOutputError && "status" in cause.facts)) throw cause;
      if (++failures < attempts) continue;
      throw new InputOutputError(
        `${file.path}: cannot read ${url} (${reasonOf(cause)}); check the network and run again`,
        { file: file.path },
        { cause },
      );
    }
  }
}
