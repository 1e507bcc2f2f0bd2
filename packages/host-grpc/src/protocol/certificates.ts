import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { UsageError } from "@mbs/contracts";

/** A certificate with its private key, PEM. */
export interface Identity {
  readonly certificate: Buffer;
  readonly privateKey: Buffer;
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).replace(/^error:/, "");

/**
 * Checks that a certificate and a key belong together.
 *
 * @param files flags and paths, for messages: "--cert server.pem and --key server.key"
 * @throws {UsageError} where they do not, or the key is none
 */
export function requirePair({ certificate, privateKey }: Identity, files: string): void {
  if (/^(-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED)/m.test(privateKey.toString("latin1"))) {
    throw new UsageError(
      `${files}: the key has a passphrase, which nobody is asked for; take it off: openssl pkey -in KEY -out KEY2`,
    );
  }
  try {
    createSecureContext({ cert: certificate, key: privateKey });
    // a key of another algorithm would only lie beside the certificate
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey))) throw new Error("key values mismatch");
  } catch (cause) {
    throw new UsageError(
      `${files} do not go together (${reasonOf(cause)}); give a certificate and its own key, PEM`,
      {},
      { cause },
    );
  }
}

const date = (text: string): string => new Date(text).toISOString().replace(/\.\d+Z$/, "Z");

/** Why a certificate is not valid now, "expired on 2026-01-01T00:00:00Z", or undefined where it is. */
export function whyInvalid({ validFrom, validTo }: X509Certificate): string | undefined {
  if (Date.parse(validTo) <= Date.now()) return `expired on ${date(validTo)}`;
  if (Date.parse(validFrom) > Date.now()) return `is not valid before ${date(validFrom)}`;
  return undefined;
}
