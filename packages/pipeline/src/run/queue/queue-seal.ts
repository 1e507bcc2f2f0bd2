import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { isPlainSecret, parseJson, readFirstLine } from "@mbs/artifacts";
import { UsageError, isObject } from "@mbs/contracts";

/** Fewest characters of a key: as many as 16 random bytes have in hexadecimal digits. */
const shortestKey = 32;

/** What was signed, as it is sent. */
interface Sealed {
  /** JSON, of which every byte counts. */
  readonly signed: string;
  /** HMAC-SHA256 over what it is for and `signed`, in hexadecimal digits. */
  readonly signature: string;
}

function sealedOf(value: unknown): Sealed | undefined {
  if (!isObject(value)) return undefined;
  const { signed, signature } = value;
  return typeof signed === "string" && typeof signature === "string" && /^[0-9a-f]{64}$/.test(signature)
    ? { signed, signature }
    : undefined;
}

/** The signature of a value that came from a queue, whether it is right or not; undefined where it has none. */
export const signatureOf = (value: unknown): string | undefined => sealedOf(value)?.signature;

/** A value that came from a queue, written by anyone; for messages alone. */
export function unverified(value: unknown): unknown {
  const sealed = sealedOf(value);
  return sealed === undefined ? value : parseJson(sealed.signed);
}

/**
 * Signs what run and workers say to each other with a key that they share, and refuses what others say. Without a key it signs
 * nothing, takes what nobody has signed, and refuses what was signed.
 */
export class QueueSeal {
  readonly #key: KeyObject | undefined;
  /** A name of the key that does not give it away; undefined where there is none. */
  readonly keyName: string | undefined;

  private constructor(key: string | undefined) {
    this.#key = key === undefined ? undefined : createSecretKey(key, "utf8");
    this.keyName = this.#key === undefined ? undefined : this.#sign("name of the key", "").slice(0, 8);
  }

  /**
   * @param file its first line is the key; absent: nothing is signed
   * @throws {UsageError} on a short key, or one that is no text of ASCII without blanks
   */
  static async open(file: string | undefined, warn: (message: string) => void): Promise<QueueSeal> {
    if (file === undefined) return new QueueSeal(undefined);
    const key = await readFirstLine(file, "--queue-key-file", "the queue's key", warn);
    const make = `make one: (umask 077 && openssl rand -hex 32 > ${file}), for run and workers alike`;
    // bytes that are no text would be read as one and the same character
    if (!isPlainSecret(key)) {
      throw new UsageError(`the key in ${file} has blanks, or other characters than those of ASCII; ${make}`);
    }
    if (key.length >= shortestKey) return new QueueSeal(key);
    throw new UsageError(`the key in ${file} has fewer than ${shortestKey} characters, so that others could guess it; ${make}`);
  }

  #sign(purpose: string, text: string): string {
    if (this.#key === undefined) return "";
    // what is signed here has a line break nowhere else, so that no other purpose and text are the same bytes
    return createHmac("sha256", this.#key).update(`mbs queue\n${purpose}\n${text}`).digest("hex");
  }

  /** @param purpose what the value is, and of what: nothing else takes it */
  seal(purpose: string, value: object): object {
    if (this.#key === undefined) return value;
    const signed = JSON.stringify(value);
    return { signed, signature: this.#sign(purpose, signed) } satisfies Sealed;
  }

  /** @returns undefined for what was not signed with this key and for this purpose */
  open(purpose: string, value: unknown): unknown {
    const sealed = sealedOf(value);
    if (this.#key === undefined) return sealed === undefined ? value : undefined;
    if (sealed === undefined) return undefined;
    const right = Buffer.from(this.#sign(purpose, sealed.signed), "hex");
    return timingSafeEqual(right, Buffer.from(sealed.signature, "hex")) ? parseJson(sealed.signed) : undefined;
  }
}
