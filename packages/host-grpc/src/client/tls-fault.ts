import { connect } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { certificateFault } from "@mbs/artifacts";
import type { CertificateFault } from "@mbs/artifacts";
import { bareHost } from "../protocol/address.ts";
import type { OpenPlace } from "./server-place.ts";

/** Milliseconds in which a server must answer. */
const probeMs = 5000;

/** How a connection went: whether TLS came about, and what ended it; "data" where the server sent some. */
interface Probe {
  readonly isSecure: boolean;
  readonly end: Error | "closed" | "silence" | "data";
}

/** Opens a connection for TLS and HTTP/2, and closes it once the server sends data, as it does when it has accepted the client. */
async function probe(options: ConnectionOptions): Promise<Probe> {
  const socket = connect({ ...options, ALPNProtocols: ["h2"] });
  let isSecure = false;
  socket.once("secureConnect", () => (isSecure = true));
  try {
    const end = await new Promise<Probe["end"]>((resolve) => {
      socket.on("error", resolve).on("close", () => resolve("closed"));
      socket.once("data", () => resolve("data")).setTimeout(probeMs, () => resolve("silence"));
    });
    return { isSecure, end };
  } finally {
    socket.destroy();
  }
}

const codeOf = (error: Error): string => ("code" in error ? String(error.code) : "");

const refusal = "it refuses the certificate of --cert; ask for one that its --client-ca has signed";

/** What and the remedy, for a fault of the server's certificate. */
function explainCertificate(fault: CertificateFault, { message }: Error): string {
  switch (fault) {
    case "unknown authority":
      return "its certificate is signed by none of the authorities known here; give the right one by --ca";
    case "expired":
      return "its certificate has expired; renew it on the server";
    case "not yet valid":
      return "its certificate is not valid yet; compare the clocks of the two machines";
    case "another name":
      return `its certificate is for another name (${message.replace(/^.*?altnames?: /i, "")}); call it by a name of its certificate`;
  }
}

/** What and the remedy, for the errors of a connection with TLS; undefined for those that are of the network. */
function explain(error: Error): string | undefined {
  const code = codeOf(error);
  const fault = certificateFault(error);
  if (fault !== undefined) return explainCertificate(fault, error);
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG") {
    return "it takes calls without TLS; give --via as grpc://, or start it with --cert and --key";
  }
  if (/certificate required/i.test(error.message) || code === "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE") {
    return "it asks for a certificate of the client; give --cert and --key";
  }
  if (/alert (unknown ca|bad certificate|certificate (expired|unknown|revoked))/i.test(error.message)) {
    return refusal;
  }
  return code.startsWith("E") && !code.startsWith("ERR_") ? undefined : `TLS failed (${error.message}); check the certificates`;
}

/** Why no connection to a server came about, where TLS is the reason: what and the remedy. grpc-js does not say it in all cases. */
export async function tlsFault({ tls, address }: OpenPlace): Promise<string | undefined> {
  const { host, port } = address;
  if (tls === undefined) {
    const { isSecure } = await probe({ host: bareHost(host), port, rejectUnauthorized: false });
    return isSecure ? `it takes calls with TLS alone; give --via as grpcs://${host}:${port}, and --ca` : undefined;
  }
  const { isSecure, end } = await probe(tls);
  if (end instanceof Error) return explain(end);
  // a server of Node closes the connection without a word
  return isSecure && end === "closed" && tls.cert !== undefined ? refusal : undefined;
}
