import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { queuePackages } from "../src/run/queue/queue-packages.ts";

test("the message for a missing package has the version of package.json", async () => {
  const manifest: unknown = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
  const { peerDependencies } = manifest as { peerDependencies: Record<string, string> };
  assert.equal(Object.fromEntries(queuePackages.map(({ name, version }) => [name, version])), peerDependencies);
});

test.run();
