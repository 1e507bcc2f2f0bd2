import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { removeStale } from "./remove-stale.ts";

test("outputs without a source go, with folders that are empty then; all others stay", () => {
  const folder = mkdtempSync(join(tmpdir(), "mbs-stale-"));
  try {
    const kept = ["tsconfig.tsbuildinfo", "a.js", "a.js.map", "a.d.ts", "b/c.js"];
    const gone = ["old.js", "old.js.map", "old.d.ts", "d/e/old.js", "b/a.d.ts"];
    for (const path of ["src/a.ts", "src/b/c.ts", ...[...kept, ...gone].map((name) => `dist/${name}`)]) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), "");
    }
    removeStale(folder);
    assert.equal(readdirSync(join(folder, "dist"), { recursive: true, encoding: "utf8" }).toSorted(), [...kept, "b"].toSorted());
    rmSync(join(folder, "dist"), { recursive: true });
    removeStale(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
