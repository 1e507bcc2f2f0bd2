import { isIP } from "node:net";
import { UsageError } from "@mbs/contracts";

/** A host and a port, as grpc-js takes them. */
export interface ServerAddress {
  /** A name, an IPv4 address, or an IPv6 address in brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether calls are encrypted; undefined where no scheme says it. */
  readonly isTls: boolean | undefined;
}

/** Whether a scheme means TLS. The longer ones are those of Arrow Flight's own clients. */
const schemes: ReadonlyMap<string, boolean> = new Map([
  ["grpc", false],
  ["grpc+tcp", false],
  ["grpcs", true],
  ["grpc+tls", true],
]);

/**
 * The one grammar of addresses: [SCHEME://]HOST:PORT[/].
 *
 * @throws {UsageError} on anything else
 */
export function parseAddress(text: string): ServerAddress {
  const [, scheme, host, digits] = /^(?:([a-z+]+):\/\/)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})\/?$/.exec(text) ?? [];
  const port = Number(digits);
  const isKnown = scheme === undefined || schemes.has(scheme);
  if (host === undefined || port > 65_535 || !isKnown) {
    throw new UsageError(`${text} is no address; give one such as grpc://127.0.0.1:8815, or grpcs://HOST:8815 with TLS`, {
      address: text,
    });
  }
  return { host, port, isTls: scheme === undefined ? undefined : schemes.get(scheme) };
}

/** A host without the brackets of IPv6. */
export const bareHost = (host: string): string => host.replace(/^\[|\]$/g, "");

/** Whether what is sent to a host stays on this machine. */
export function isLoopback(host: string): boolean {
  const bare = bareHost(host);
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}
