import type { S3Client } from "@aws-sdk/client-s3";
import { importOptional, UsageError } from "@mbs/contracts";
import type { StoreCall } from "../shared-store.ts";
import { s3Error } from "./s3-errors.ts";
import type { S3Target } from "./s3-errors.ts";

/** The SDK; it takes a quarter of a second to load, so only a store in S3 loads it. */
export type Sdk = typeof import("@aws-sdk/client-s3");

export interface S3Limits {
  /** Milliseconds without a byte before a request counts as stalled; it is then sent again, a few times. */
  readonly stall: number;
  /** How often a request is sent before its failure is an error. */
  readonly attempts: number;
}

/** Longest time of one request up to its answer's headers, in stalls: a part of 8 MiB at 27 kB/s. */
const stallsARequest = 10;
const connectionMs = 10_000;

/** A client with the addresses that it speaks to. */
export interface S3Connection {
  readonly sdk: Sdk;
  readonly client: S3Client;
  readonly target: S3Target;
  readonly limits: S3Limits;
}

/**
 * The endpoint that the environment names; AWS's own without one.
 *
 * @throws {UsageError} where it is no address, without quoting it: it may have something secret in it
 */
function endpointOf(environment: NodeJS.ProcessEnv): URL | undefined {
  for (const name of ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]) {
    const text = environment[name] ?? "";
    if (text === "") continue;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
    throw new UsageError(`${name} takes an address such as http://127.0.0.1:9000 or https://s3.example.org; correct it`);
  }
  return undefined;
}

/** What S3 needs beside this program: folders do without. */
export const awsSdk = { name: "@aws-sdk/client-s3", version: "3.1175.0", neededBy: "a store in S3" } as const;

/** Credentials, region and endpoint are those of the SDK's own chain. */
export async function connect(bucket: string, limits: S3Limits): Promise<S3Connection> {
  // it concerns who chooses the SDK's version: the one that is pinned supports every Node that we do
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const sdk = await importOptional(() => import("@aws-sdk/client-s3"), awsSdk, [awsSdk]);
  const endpoint = endpointOf(process.env);
  const client = new sdk.S3Client({
    // other servers seldom have a host name for each bucket
    ...(endpoint !== undefined && { forcePathStyle: true }),
    maxAttempts: limits.attempts,
    followRegionRedirects: true,
    // content is checked by its address, and the SDK's check of a body that is cut never ends
    responseChecksumValidation: "WHEN_REQUIRED",
    // it takes a new connection for each request
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: Math.min(connectionMs, limits.stall),
      socketTimeout: limits.stall,
      requestTimeout: limits.stall * stallsARequest,
      throwOnRequestTimeout: true,
    },
  });
  return { sdk, client, limits, target: { bucket, at: endpoint === undefined ? "" : `at ${endpoint.origin}` } };
}

/**
 * Waits for a request, whose failure is an error of ours.
 *
 * @param doing "put", "read" …
 */
export async function asked<T>(
  { target }: S3Connection,
  request: Promise<T>,
  doing: string,
  where: string,
  { signal }: StoreCall,
): Promise<T> {
  try {
    return await request;
  } catch (cause) {
    throw s3Error(cause, doing, where, target, signal);
  }
}
