import type { _Object, HeadObjectCommandOutput, ListMultipartUploadsCommandOutput, MultipartUpload } from "@aws-sdk/client-s3";
import { addressOfName } from "@mbs/artifacts";
import type { Keeper, KeptFile, PutOptions, StoreCall } from "../shared-store.ts";
import { asked, connect } from "./s3-connection.ts";
import type { S3Connection, S3Limits } from "./s3-connection.ts";
import { downloadObject } from "./s3-download.ts";
import { failureOf, isMissingKey, s3Error, StrangeAnswerError } from "./s3-errors.ts";
import { itemsOf } from "./s3-pages.ts";
import type { Page } from "./s3-pages.ts";
import type { S3Place } from "./s3-place.ts";
import { uploadFile } from "./s3-upload.ts";

/** How the SDK takes the signal. */
const sending = ({ signal }: StoreCall): { abortSignal?: AbortSignal } => (signal ? { abortSignal: signal } : {});

/** How often the first request is sent, at most: a wrong endpoint is reported after a second. A server that restarts later is waited for. */
const firstAttempts = 6;

/** The object is there already: 412, or 304 of some servers. */
const isThere = (status: number | undefined): boolean => status === 412 || status === 304;

/** Where a page of unfinished uploads begins. */
interface Markers {
  readonly KeyMarker?: string;
  readonly UploadIdMarker?: string | undefined;
}

const noUploads: Partial<ListMultipartUploadsCommandOutput> = {};

/** Keeps files as objects of a bucket, in S3 or a server that speaks its protocol. */
export class S3Keeper implements Keeper {
  readonly place: string;
  readonly #s3: S3Place;
  readonly #connection: S3Connection;
  /** False once the server has said that it does not know conditional puts. They only save work. */
  #conditional = true;

  private constructor(s3: S3Place, connection: S3Connection) {
    this.place = s3.text;
    this.#s3 = s3;
    this.#connection = connection;
  }

  /** @throws {UsageError} where the bucket is not there */
  static async open(s3: S3Place, limits: S3Limits): Promise<S3Keeper> {
    const { sdk, client, target } = await connect(s3.bucket, { ...limits, attempts: Math.min(firstAttempts, limits.attempts) });
    try {
      await client.send(new sdk.HeadBucketCommand({ Bucket: s3.bucket }));
    } catch (cause) {
      // an answer to HEAD has no body that would name the reason
      const named = isMissingKey(cause) ? Object.assign(new Error("no such bucket"), { Code: "NoSuchBucket" }) : cause;
      throw s3Error(named, "open", s3.text, target);
    } finally {
      client.destroy();
    }
    const lasting = await connect(s3.bucket, limits);
    lasting.client.config.systemClockOffset = client.config.systemClockOffset;
    return new S3Keeper(s3, lasting);
  }

  where(name: string): string {
    return `${this.#s3.text}/${name}`;
  }

  #key(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#s3.bucket, Key: this.#s3.prefix + name };
  }

  /** The SDK compares the server's time in every answer, and corrects the time here where they differ by minutes. */
  async now(): Promise<Date> {
    return new Date(Date.now() + this.#connection.client.config.systemClockOffset);
  }

  async find(name: string, call: StoreCall): Promise<KeptFile | undefined> {
    const { sdk, client } = this.#connection;
    const looking = client
      .send(new sdk.HeadObjectCommand(this.#key(name)), sending(call))
      .catch((cause: unknown): HeadObjectCommandOutput | undefined => {
        if (isMissingKey(cause)) return undefined;
        throw cause;
      });
    const found = await asked(this.#connection, looking, "look at", this.where(name), call);
    return found && { name, bytes: found.ContentLength ?? 0, modified: found.LastModified ?? new Date(0) };
  }

  async put(name: string, path: string, { bytes, replace, signal }: PutOptions): Promise<void> {
    const { Bucket: bucket, Key: key } = this.#key(name);
    const put = (isNew: boolean): Promise<void> => uploadFile(this.#connection, { bucket, key, path, bytes, isNew, signal });
    const isNew = this.#conditional && !replace;
    const putting = put(isNew).catch((cause: unknown) => {
      const { status } = failureOf(cause);
      if (!isNew || status === undefined) throw cause;
      if (isThere(status)) return undefined;
      if (status === 501) this.#conditional = false;
      // 409: another process is putting the same, which may fail yet
      else if (status !== 409) throw cause;
      return put(false);
    });
    await asked(this.#connection, putting, "put", this.where(name), { signal });
  }

  async write(name: string, content: Uint8Array, call: StoreCall): Promise<void> {
    const { sdk, client } = this.#connection;
    const command = new sdk.PutObjectCommand({ ...this.#key(name), Body: content, ContentLength: content.length });
    await asked(this.#connection, client.send(command, sending(call)), "write", this.where(name), call);
  }

  async read(
    name: string,
    { limit, signal }: StoreCall & { readonly limit?: number | undefined },
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    const where = this.where(name);
    const reading = downloadObject(this.#connection, { key: this.#key(name).Key, where, limit, signal }).catch(
      (cause: unknown) => {
        if (isMissingKey(cause)) return undefined;
        throw cause;
      },
    );
    return asked(this.#connection, reading, "read", where, { signal });
  }

  async *list(folder: "" | "runs/", isOurs: (name: string) => boolean, call: StoreCall): AsyncGenerator<KeptFile> {
    const { sdk, client } = this.#connection;
    const { bucket: Bucket, prefix } = this.#s3;
    const ask = async (start: string | undefined): Promise<Page<_Object, string>> => {
      const command = new sdk.ListObjectsV2Command({ Bucket, Prefix: prefix + folder, Delimiter: "/", ContinuationToken: start });
      const { Contents = [], IsTruncated, NextContinuationToken } = await client.send(command, sending(call));
      if (!Contents.every(({ Size = 0 }) => Number.isSafeInteger(Size) && Size >= 0))
        throw new StrangeAnswerError("with no sizes");
      return { items: Contents, isTruncated: IsTruncated, next: NextContinuationToken };
    };
    for await (const { Key = "", Size = 0, LastModified = new Date(0) } of itemsOf(this.#connection, ask, this.place, call)) {
      const name = Key.slice(prefix.length);
      if (Key.startsWith(prefix) && isOurs(name)) yield { name, bytes: Size, modified: LastModified };
    }
  }

  async remove(name: string, call: StoreCall): Promise<void> {
    const { sdk, client } = this.#connection;
    const removing = client.send(new sdk.DeleteObjectCommand(this.#key(name)), sending(call)).catch((cause: unknown) => {
      // S3 says nothing of a missing key, others do
      if (!isMissingKey(cause)) throw cause;
    });
    await asked(this.#connection, removing, "remove", this.where(name), call);
  }

  async requirePrunable(): Promise<void> {}

  async removeUnfinished(before: Date, { dryRun, ...call }: StoreCall & { readonly dryRun: boolean }): Promise<number> {
    const { sdk, client } = this.#connection;
    const { bucket: Bucket, prefix: Prefix } = this.#s3;
    let count = 0;
    const ask = async (markers: Markers = {}): Promise<Page<MultipartUpload, Markers>> => {
      const command = new sdk.ListMultipartUploadsCommand({ Bucket, Prefix, ...markers });
      const page = await client.send(command, sending(call)).catch((cause: unknown) => {
        // a server that lists none removes them itself
        if (failureOf(cause).status === 501) return noUploads;
        throw cause;
      });
      const { Uploads = [], IsTruncated = false, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
      return {
        items: Uploads,
        isTruncated: IsTruncated,
        next: KeyMarker === undefined ? undefined : { KeyMarker, UploadIdMarker },
      };
    };
    for await (const { Key = "", UploadId, Initiated } of itemsOf(this.#connection, ask, this.place, call)) {
      const name = Key.slice(Prefix.length);
      const isOurs = Key.startsWith(Prefix) && addressOfName(name) !== undefined;
      if (!isOurs || Initiated === undefined || Initiated >= before) continue;
      count += 1;
      if (dryRun) continue;
      const removing = client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId }), sending(call));
      await asked(this.#connection, removing, "remove", this.where(name), call);
    }
    return count;
  }

  async close(): Promise<void> {
    this.#connection.client.destroy();
  }
}
