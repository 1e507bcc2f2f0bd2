import { BadDataError } from "@mbs/contracts";

/**
 * Bytes of the UTF-8 byte-order mark that a file starts with: 3 or 0.
 *
 * @throws {BadDataError} on the mark of UTF-16, which no reader here decodes
 */
export function byteOrderMarkLength(start: Uint8Array, path: string): 0 | 3 {
  const [first, second, third] = start;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new BadDataError(`${path} is UTF-16; convert it to UTF-8`, { file: path });
  }
  return first === 0xef && second === 0xbb && third === 0xbf ? 3 : 0;
}
