import { X509Certificate } from "node:crypto";
import { UsageError } from "@mbs/contracts";

/**
 * The first certificate of a PEM file.
 *
 * @param file flag and path, for messages: "--cert server.pem"
 * @throws {UsageError} where there is none
 */
export function parseCertificate(pem: Buffer, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new UsageError(`${file} has no certificate; give a PEM file with -----BEGIN CERTIFICATE-----`, {}, { cause });
  }
}

/** What is wrong with the certificate of a server. */
export type CertificateFault = "unknown authority" | "expired" | "not yet valid" | "another name";

/** By the codes of OpenSSL's checks and of Node's. */
const faults: ReadonlyMap<unknown, CertificateFault> = new Map([
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unknown authority"],
  ["UNABLE_TO_GET_ISSUER_CERT", "unknown authority"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unknown authority"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "unknown authority"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "unknown authority"],
  ["CERT_SIGNATURE_FAILURE", "unknown authority"],
  ["CERT_HAS_EXPIRED", "expired"],
  ["CERT_NOT_YET_VALID", "not yet valid"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "another name"],
  ["HOSTNAME_MISMATCH", "another name"],
]);

/** What the error of a connection says of the server's certificate; undefined where it is about something else. */
export const certificateFault = (error: unknown): CertificateFault | undefined =>
  error instanceof Error && "code" in error ? faults.get(error.code) : undefined;
