import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { openSharedStore } from "@mbs/shared-store";
import type { OpenStoreOptions, SharedStore } from "@mbs/shared-store";
import { s3Environment } from "./s3-environment.ts";
import { startProxy } from "./s3-proxy.ts";
import type { Conditions, S3Proxy } from "./s3-proxy.ts";
import type { TestPlace } from "./store-cases.ts";

export const bucket = "artifacts";

/** An S3 server in a process of its own, behind a proxy. */
export interface S3TestPlace extends TestPlace {
  readonly proxy: S3Proxy;
  readonly open: (options?: OpenStoreOptions) => Promise<SharedStore>;
}

async function startServer(folder: string): Promise<{ readonly server: ChildProcess; readonly port: number }> {
  const script = fileURLToPath(new URL("s3-server-child.ts", import.meta.url));
  const server = spawn(process.execPath, ["--import", "tsx", script, folder, bucket], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(server, "exit").then(([code]) => {
    throw new Error(`the S3 server ended with ${String(code)}`);
  });
  const [line] = (await Promise.race([once(server.stdout, "data"), ended])) as [Buffer];
  ended.catch(() => {}); // when it is killed at the end
  return { server, port: Number(line.toString()) };
}

/** Stores in a bucket; the first is the bucket itself. */
function storesIn(name: string, client: S3Client, base: string): Pick<S3TestPlace, "open" | "plant"> {
  let count = 0;
  return {
    open: (options) => {
      const place = count === 0 ? `s3://${name}${base}` : `s3://${name}${base}/stores/number ${count}`;
      count += 1;
      return openSharedStore(place, { attempts: 3, ...options });
    },
    async plant({ place }, file, bytes) {
      const [, prefix = ""] = /^s3:\/\/[^/]+\/?(.*)$/.exec(place) ?? [];
      const Key = prefix === "" ? file : `${prefix}/${file}`;
      await client.send(new PutObjectCommand({ Bucket: name, Key, Body: bytes }));
    },
  };
}

/** A bucket of any server that the environment of this process speaks to; what is put there stays. */
export async function existingBucket(name: string): Promise<TestPlace> {
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const client = new S3Client({ forcePathStyle: true });
  return { ...storesIn(name, client, `/${Date.now()}`), end: async () => client.destroy() };
}

/** Starts a server, and lets the SDK of this process speak to it until the end. */
export async function startS3(conditions: Conditions = "known"): Promise<S3TestPlace> {
  const folder = await mkdtemp(join(tmpdir(), "s3-server-"));
  const { server, port } = await startServer(folder);
  const proxy = await startProxy(port);
  proxy.conditions = conditions;
  const before = { ...process.env };
  Object.assign(process.env, s3Environment(proxy.url));
  const client = new S3Client({ forcePathStyle: true });
  return {
    proxy,
    ...storesIn(bucket, client, ""),
    async end() {
      client.destroy();
      await proxy.close();
      const ended = once(server, "exit");
      server.kill("SIGKILL");
      await ended;
      for (const name of Object.keys(s3Environment(""))) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
