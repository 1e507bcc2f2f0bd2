import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { awsSdk } from "../src/s3/s3-connection.ts";

test("the message for a missing SDK has the version of package.json", async () => {
  const manifest: unknown = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  const { peerDependencies } = manifest as { peerDependencies: Record<string, string> };
  assert.equal({ [awsSdk.name]: awsSdk.version }, peerDependencies);
});

test.run();
