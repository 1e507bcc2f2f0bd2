import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { credentials, Metadata } from "@grpc/grpc-js";
import type { ChannelCredentials } from "@grpc/grpc-js";
import { isPlainSecret, parseCertificate, readFirstLine, readGiven, warnIfOpen } from "@mbs/artifacts";
import { DeniedError, UsageError } from "@mbs/contracts";
import type { ServerPlace } from "@mbs/contracts";
import { bareHost, isLoopback, parseAddress } from "../protocol/address.ts";
import type { ServerAddress } from "../protocol/address.ts";
import { requirePair, whyInvalid } from "../protocol/certificates.ts";

/** What grpc-js takes to call a server. */
export interface OpenPlace {
  readonly via: string;
  readonly address: ServerAddress;
  readonly credentials: ChannelCredentials;
  readonly channelOptions: Readonly<Record<string, string | number>>;
  /** Goes with every call. */
  readonly metadata: Metadata;
  /** Of a connection with TLS; undefined without. */
  readonly tls: ConnectionOptions | undefined;
}

async function openToken({ via, tokenFile }: ServerPlace, address: ServerAddress, warn: (message: string) => void) {
  const metadata = new Metadata();
  if (tokenFile === undefined) return metadata;
  if (address.isTls !== true && !isLoopback(address.host)) {
    throw new DeniedError(`will not send a token to ${via} without TLS, where others can read it; give --via as grpcs://`);
  }
  const token = await readFirstLine(tokenFile, "--token-file", "the token", warn);
  // checked here: the library's own message would quote it
  if (!isPlainSecret(token)) {
    const mark = token.startsWith("\ufeff") ? " (it begins with a byte order mark)" : "";
    const hidden = /\s$/.test(token) ? " (it ends with a blank)" : mark;
    throw new UsageError(`the first line of ${tokenFile} is no token${hidden}; give it alone, without a name, scopes or Bearer`);
  }
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

async function openIdentity({ cert, key }: ServerPlace, warn: (message: string) => void) {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new UsageError("--cert and --key go together; give both, or none");
  const identity = { certificate: await readGiven(cert, "--cert"), privateKey: await readGiven(key, "--key") };
  const fault = whyInvalid(parseCertificate(identity.certificate, `--cert ${cert}`));
  if (fault !== undefined)
    throw new DeniedError(`the certificate in ${cert} ${fault}, so that the server refuses it; ask for another`);
  requirePair(identity, `--cert ${cert} and --key ${key}`);
  await warnIfOpen(key, warn);
  return identity;
}

/** The name that goes with a connection to an IP address, for which TLS has none. */
const nameOfAddress = "address.invalid";

/**
 * Reads what a client needs to call a server.
 *
 * @throws {UsageError} on files that go with TLS alone, or are none of certificates, keys or tokens
 * @throws {DeniedError} on a token that would go unencrypted to another machine, and on an expired certificate
 */
export async function openPlace(place: ServerPlace, warn: (message: string) => void): Promise<OpenPlace> {
  const { via, ca } = place;
  const address = parseAddress(via);
  const metadata = await openToken(place, address, warn);
  if (address.isTls !== true) {
    const flag = (["ca", "cert", "key"] as const).find((name) => place[name] !== undefined);
    if (flag !== undefined) throw new UsageError(`--${flag} is for TLS; give --via as grpcs://${address.host}:${address.port}`);
    // the library would send all, the token too, through the proxy of http_proxy or grpc_proxy, which could read it
    const channelOptions = { "grpc.enable_http_proxy": 0 };
    return { via, address, credentials: credentials.createInsecure(), channelOptions, metadata, tls: undefined };
  }
  const authority = ca === undefined ? undefined : await readGiven(ca, "--ca");
  if (authority !== undefined) parseCertificate(authority, `--ca ${ca}`);
  const identity = await openIdentity(place, warn);
  const host = bareHost(address.host);
  const isName = isIP(host) === 0;
  const tls: ConnectionOptions = {
    host,
    port: address.port,
    ...(isName && { servername: host }),
    ...(authority && { ca: authority }),
    ...(identity && { cert: identity.certificate, key: identity.privateKey }),
  };
  return {
    via,
    address,
    credentials: credentials.createSsl(authority, identity?.privateKey, identity?.certificate, {
      checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
    }),
    // the library would send an address as the name, and Node warns of that
    channelOptions: isName ? {} : { "grpc.ssl_target_name_override": nameOfAddress },
    metadata,
    tls,
  };
}
