import { UsageError, quoted } from "@mbs/contracts";

/** @throws {UsageError} on what is no address */
export function parseMetricsAddress(text: string): { readonly host: string; readonly port: number } {
  const [, host = "127.0.0.1", digits] = /^(?:(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw new UsageError(
      `--metrics takes a port, which is on loopback, or HOST:PORT, such as 127.0.0.1:9464, not ${quoted(text)}`,
    );
  }
  return { host, port };
}
