import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { manifestKey, RunManifest } from "@mbs/artifacts";
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
    assert.equal(again.addressesOf("factors"), ["a", "b", "__proto__"].map(addressOf));
    assert.equal(again.addressesOf("layers"), []);
    assert.equal(await readdir(folder), ["manifest.json"]);
  }));

test("each node costs the bytes of its own line", () =>
  inFolder(async (folder) => {
    const path = join(folder, "manifest.json");
    const manifest = await RunManifest.open(path);
    await manifest.set("a", { factors: addressOf("a") });
    const { ino } = await stat(path);
    for (const key of ["b", "c"]) {
      const { size } = await stat(path);
      await manifest.set(key, { factors: addressOf(key) });
      const line = `${JSON.stringify({ [key]: { factors: addressOf(key) } })}\n`;
      assert.is((await stat(path)).size, size + line.length);
    }
    assert.is((await stat(path)).ino, ino, "added to, not written again");
    const again = await RunManifest.open(path);
    for (const key of ["a", "d"]) await again.set(key, { factors: addressOf(key) });
    assert.is((await stat(path)).ino, ino);
    const keys = (await readFile(path, "utf8")).trim().split("\n");
    assert.equal(
      keys.map((line) => Object.keys(JSON.parse(line) as object)),
      [["a"], ["b"], ["c"], ["d"]],
    );
  }));

test("cut anywhere after its first line, as by a kill, it loses no more than the last node, and goes on", () =>
  inFolder(async (folder) => {
    const path = join(folder, "manifest.json");
    const manifest = await RunManifest.open(path);
    for (const key of ["a", "b"]) await manifest.set(key, { factors: addressOf(key) });
    const whole = await readFile(path);
    for (let length = whole.length / 2; length < whole.length; length += 1) {
      await writeFile(path, whole.subarray(0, length));
      const cut = await RunManifest.open(path);
      assert.equal(cut.get("a"), { factors: addressOf("a") });
      assert.is(cut.get("b"), undefined);
      await cut.set("b", { factors: addressOf("b") });
      assert.equal(await readFile(path), whole);
    }
  }));

test("after a write that failed, the next one takes all along", () =>
  inFolder(async (folder) => {
    const path = join(folder, "manifest.json");
    const manifest = await RunManifest.open(path);
    await manifest.set("a", { factors: addressOf("a") });
    await rm(path);
    await mkdir(path);
    await errorOf(() => manifest.set("b", { factors: addressOf("b") }));
    await rm(path, { recursive: true });
    await manifest.set("c", { factors: addressOf("c") });
    const again = await RunManifest.open(path);
    for (const key of ["a", "b", "c"]) assert.equal(again.get(key), { factors: addressOf(key) });
  }));

const line = (key: string, address = addressOf(key)): string => `${JSON.stringify({ [key]: { factors: address } })}\n`;

test("of a damaged manifest the lines that are whole count, and the next write mends it", () =>
  inFolder(async (folder) => {
    const path = join(folder, "manifest.json");
    for (const damaged of ["null", "", "[]\n", "{}\n", "\u0000\n", '{"a": {\n', line("b", "../../x"), line("b", "0")]) {
      for (const whole of ["", line("a")]) {
        await writeFile(path, whole + damaged);
        const manifest = await RunManifest.open(path);
        // an end that is cut is no damage, and no line at all is
        assert.is(manifest.isDamaged, damaged.endsWith("\n") || whole === "", damaged);
        assert.equal(manifest.get("a"), whole === "" ? undefined : { factors: addressOf("a") });
        assert.is(manifest.get("b"), undefined);
        await manifest.set("c", { factors: addressOf("c") });
        assert.is(await readFile(path, "utf8"), whole + line("c"), damaged);
      }
    }
  }));

test.run();
