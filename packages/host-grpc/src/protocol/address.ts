import { isIP } from "node:net";
import { DeniedError, UsageError } from "@mbs/contracts";

/** A host and a port, as grpc-js takes them. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** @throws {UsageError} on anything but host:port, with grpc:// in front or not */
export function parseAddress(text: string): ListenAddress {
  const found = /^(?:grpc:\/\/|grpc\+tcp:\/\/)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})\/?$/.exec(text);
  const port = Number(found?.[2]);
  if (!found?.[1] || port > 65_535)
    throw new UsageError(`${text} is no address; give one such as grpc://127.0.0.1:8815`, { address: text });
  return { host: found[1], port };
}

const isLoopback = (host: string): boolean => {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
};

/**
 * The address to listen at.
 *
 * @throws {DeniedError} on an address that is not loopback: without encryption and tokens, anyone who reaches the port may call
 */
export function parseListenAddress(text: string): ListenAddress {
  const address = parseAddress(text);
  if (isLoopback(address.host)) return address;
  throw new DeniedError(
    `will not listen at ${address.host}: calls are neither encrypted nor authenticated yet; listen at 127.0.0.1 and tunnel, e.g. with ssh -L`,
    { host: address.host },
  );
}
