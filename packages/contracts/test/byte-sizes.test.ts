import { test } from "uvu";
import * as assert from "uvu/assert";
import { UsageError, parseBytes, sizeFrom } from "../src/index.ts";

test("sizes have units of 1000 or of 1024, in any case; 0 needs none", () => {
  const sizes = ["0", "1kB", "180MB", "1.5 GB", "2TB", "1KiB", "3MiB", "0.5GiB", "1 TiB", "1KB", "2mb", "1gib"];
  assert.equal(
    sizes.map((size) => parseBytes(size, "--size")),
    [0, 1e3, 180e6, 1.5e9, 2e12, 2 ** 10, 3 * 2 ** 20, 2 ** 29, 2 ** 40, 1e3, 2e6, 2 ** 30],
  );
});

test("what is no size is refused with the units that there are", () => {
  for (const text of ["", "10", "-1GB", "1e3MB", "GiB", "4G", "4GiB/s", `${"9".repeat(400)}TiB`]) {
    assert.throws(
      () => parseBytes(text, "--size"),
      (error: unknown) => error instanceof UsageError && /^--size takes a size such as .*kB, MB, GB, TB, KiB/.test(error.message),
      text,
    );
  }
});

test("the smallest size that a message names is taken as it stands", () => {
  for (const [bytes, text] of [
    [336_154_144, "337MB"],
    [336_000_000, "336MB"],
    [1_100_000_000, "1.1GB"],
    [2_010_000, "2.01MB"],
    [1_130_000_001, "1.14GB"],
    [999_900_000, "1000MB"],
    [12_345, "12.4kB"],
    [5, "0.01kB"],
  ] as const) {
    assert.is(sizeFrom(bytes), text);
    assert.ok(parseBytes(text, "--size") >= bytes, text);
  }
});

test.run();
