import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { manifestKey, RunManifest } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorOf } from "./samples.ts";
import { inFolder } from "./temporary-folder.ts";

const test = suite("run manifest");

test("equal work has an equal key, and any difference another", () => {
  const key = manifestKey("factor", { damping: 0.01, mix: "equal" }, { statistics: ["a", "b"] });
  assert.match(key, /^[0-9a-f]{64}$/);
  assert.is(manifestKey("factor", { mix: "equal", damping: 0.01 }, { statistics: ["a", "b"] }), key);
  const others = [
    manifestKey("capture", { damping: 0.01, mix: "equal" }, { statistics: ["a", "b"] }),
    manifestKey("factor", { damping: 0.02, mix: "equal" }, { statistics: ["a", "b"] }),
    manifestKey("factor", { damping: 0.01, mix: "equal" }, { statistics: ["b", "a"] }),
    manifestKey("factor", { damping: 0.01, mix: "equal" }, { states: ["a", "b"] }),
  ];
  assert.is(new Set([key, ...others]).size, 5);
});

const addressOf = (key: string): string => Buffer.from(key).toString("hex").padEnd(64, "0");

test("what was set is there when it is opened again, also when many are set at once", () =>
  inFolder(async (folder) => {
    const path = join(folder, "manifest.json");
    const manifest = await RunManifest.open(path);
    assert.is(manifest.get("a"), undefined);
    await Promise.all(["a", "b", "__proto__"].map((key) => manifest.set(key, { factors: addressOf(key) })));
    const again = await RunManifest.open(path);
    assert.equal(again.get("a"), { factors: addressOf("a") });
    assert.ok(again.made(addressOf("a")));
    assert.not(again.made("a"));
    assert.equal(again.get("__proto__"), { factors: addressOf("__proto__") });
    assert.equal(await readdir(folder), ["manifest.json"]);
  }));

test("a broken manifest is refused with its name", () =>
  inFolder(async (folder) => {
    const path = join(folder, "manifest.json");
    for (const text of ["", "[]", '{"a": 1}', '{"a": {"b": 2}}', '{"a": {"b": "../../x"}}', '{"a": {']) {
      await writeFile(path, text);
      const error = await errorOf(() => RunManifest.open(path));
      assert.instance(error, BadDataError, text);
      assert.match(error.message, /manifest\.json is no run manifest/);
      const forgetting = await RunManifest.open(path, { forget: true });
      assert.is(forgetting.get("a"), undefined, "what is about to be deleted need not be whole");
    }
  }));

test.run();
