import { DeniedError, UsageError } from "@mbs/contracts";
import { isLoopback, parseAddress } from "../protocol/address.ts";
import type { ServerAddress } from "../protocol/address.ts";

/** How a server is protected. */
export interface Protection {
  /** Calls are encrypted: --cert and --key. */
  readonly isTls: boolean;
  /** Only known clients may call: --tokens or --client-ca. */
  readonly knowsClients: boolean;
  /** The user wants to do without, wherever it listens. */
  readonly insecure: boolean;
}

/**
 * The address to listen at.
 *
 * @throws {UsageError} where its scheme says other than the options
 * @throws {DeniedError} off loopback, where calls are not encrypted or anyone who reaches the port may call
 */
export function parseListenAddress(text: string, { isTls, knowsClients, insecure }: Protection): ServerAddress {
  const address = parseAddress(text);
  const { host } = address;
  if (address.isTls === true && !isTls) throw new UsageError(`--listen ${text} is with TLS; give --cert and --key too`);
  if (address.isTls === false && isTls) throw new UsageError(`--listen ${text} is without TLS; with --cert it is grpcs://`);
  if (insecure || isLoopback(host)) return address;
  if (!isTls) {
    throw new DeniedError(
      `will not listen at ${host} without TLS; give --cert and --key, listen at 127.0.0.1, or accept plaintext by --insecure`,
      { host },
    );
  }
  if (knowsClients) return address;
  throw new DeniedError(
    `will not listen at ${host} for everyone who reaches the port; give --tokens or --client-ca, or accept all clients by --insecure`,
    { host },
  );
}
