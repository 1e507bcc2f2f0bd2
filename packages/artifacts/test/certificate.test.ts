import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import { certificateFault } from "@mbs/artifacts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeAuthority, makeCertificate } from "../../../tools/test/certificates.ts";

const test = suite("certificate");

/** The error of a client that connects to a server with such a certificate. @param isKnown whether it knows the authority */
async function refusalOf(certificate: Parameters<typeof makeCertificate>[1], isKnown = true): Promise<unknown> {
  const authority = await makeAuthority("test");
  const { cert, private: key } = await makeCertificate(authority, certificate);
  const server = createServer({ cert, key }, (socket) => socket.on("error", () => undefined));
  server.on("tlsClientError", () => undefined).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ...(isKnown && { ca: authority.cert }) });
  try {
    return await new Promise((resolve) => socket.once("error", resolve).once("secureConnect", () => resolve(undefined)));
  } finally {
    socket.destroy();
    server.close();
  }
}

test("what is wrong with a server's certificate is told apart; without a fault, and of the network, there is none", async () => {
  assert.is(await refusalOf({}), undefined);
  assert.is(certificateFault(await refusalOf({}, false)), "unknown authority");
  assert.is(certificateFault(await refusalOf({ from: -20, to: -10 })), "expired");
  assert.is(certificateFault(await refusalOf({ from: 10, to: 20 })), "not yet valid");
  assert.is(certificateFault(await refusalOf({ name: "example.org", ip: "192.0.2.1" })), "another name");
  const socket = connect({ port: 1, host: "127.0.0.1" });
  const [refused] = (await once(socket, "error").catch((error: unknown) => [error])) as [unknown];
  assert.is(certificateFault(refused), undefined);
});

test.run();
