import type { X509Certificate } from "node:crypto";
import { experimental, ServerCredentials } from "@grpc/grpc-js";
import { parseCertificate } from "@mbs/artifacts";
import { requirePair, whyInvalid } from "../protocol/certificates.ts";
import type { Identity } from "../protocol/certificates.ts";
import { ReloadedFiles } from "./reloaded-files.ts";

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Clients must have a certificate that one of these has signed. */
  readonly clientCa?: string | undefined;
}

interface Certificates extends Identity {
  /** What `certificate` says. */
  readonly parsed: X509Certificate;
  readonly caCertificate: Buffer | undefined;
}

type IdentityListener = experimental.IdentityCertificateUpdateListener;
type CaListener = experimental.CaCertificateUpdateListener;

/**
 * Gives the certificates to grpc-js. Its own provider, FileWatcherCertificateProvider, would refuse all connections while one of
 * the files is half replaced, and until the first look.
 */
class CertificateProvider implements experimental.CertificateProvider {
  readonly #files: ReloadedFiles<Certificates>;
  readonly #identityListeners = new Set<IdentityListener>();
  readonly #caListeners = new Set<CaListener>();

  constructor(files: ReloadedFiles<Certificates>) {
    this.#files = files;
    files.onChange((certificates) => {
      for (const listener of this.#identityListeners) listener(certificates);
      for (const listener of this.#caListeners) listener(this.#ca(certificates));
    });
  }

  #ca({ caCertificate }: Certificates) {
    return caCertificate === undefined ? null : { caCertificate };
  }

  // The library begins to listen to its credentials after it has begun to listen here: hence the next tick.
  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.add(listener);
    process.nextTick(() => listener(this.#files.current));
  }

  addCaCertificateListener(listener: CaListener): void {
    this.#caListeners.add(listener);
    process.nextTick(() => listener(this.#ca(this.#files.current)));
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.delete(listener);
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#caListeners.delete(listener);
  }
}

export interface OpenCredentials {
  readonly credentials: ServerCredentials;
  readonly close: () => void;
}

/**
 * Credentials of a server from files, which are read again when they change.
 *
 * @param reloadMs milliseconds between two looks at the files
 * @param log warnings, also of later readings
 * @throws {UsageError} where a file is no certificate, or certificate and key do not go together
 * @throws {InputOutputError} where a file is missing
 */
export async function openTls(
  { cert, key, clientCa }: TlsFiles,
  reloadMs: number,
  log: (line: string) => void,
): Promise<OpenCredentials> {
  const parse = ([certificate, privateKey, caCertificate]: readonly Buffer[]): Certificates => {
    const pair = { certificate: certificate ?? Buffer.alloc(0), privateKey: privateKey ?? Buffer.alloc(0) };
    const parsed = parseCertificate(pair.certificate, `--cert ${cert}`);
    requirePair(pair, `--cert ${cert} and --key ${key}`);
    if (caCertificate !== undefined) parseCertificate(caCertificate, `--client-ca ${clientCa}`);
    return { ...pair, parsed, caCertificate };
  };
  const warning = ({ parsed }: Certificates): string | undefined => {
    const fault = whyInvalid(parsed);
    return fault === undefined ? undefined : `the certificate in ${cert} ${fault}, so that clients refuse it; make another`;
  };
  const given = { "--cert": cert, "--key": key, ...(clientCa !== undefined && { "--client-ca": clientCa }) };
  const files = await ReloadedFiles.open<Certificates>(given, parse, key, reloadMs, log, { warning });
  const provider = new CertificateProvider(files);
  // the library's declaration names its first two parameters the wrong way round
  const credentials = experimental.createCertificateProviderServerCredentials(
    provider,
    clientCa === undefined ? null : provider,
    clientCa !== undefined,
  );
  return { credentials, close: () => files.close() };
}

/** Credentials of a server without TLS. */
export const plaintext: OpenCredentials = { credentials: ServerCredentials.createInsecure(), close: () => undefined };
