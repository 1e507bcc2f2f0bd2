import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findConflictMarkers } from "./conflict-markers.ts";

const root = mkdtempSync(join(tmpdir(), "mbs-conflict-"));
test.after(() => rmSync(root, { recursive: true }));
const git = (...args: string[]): unknown => execFileSync("git", args, { cwd: root, stdio: "ignore" });
/** Made here, so that this file has none. */
const [ours, theirs] = ["<".repeat(7), ">".repeat(7)];

test("lines of a conflict are found in tracked text files, and nowhere else", () => {
  writeFileSync(join(root, "page.md"), `one\n${ours} HEAD\ntwo\n`);
  assert.equal(findConflictMarkers(root), [], "no repository");
  git("init", "-q");
  assert.equal(findConflictMarkers(root), [], "nothing is tracked");
  mkdirSync(join(root, "deep", "er"), { recursive: true });
  writeFileSync(join(root, "deep", "er", "code.ts"), `${ours}\n    ${ours} HEAD\nconst a = "${theirs} b";\n=======\n`);
  writeFileSync(join(root, "binary.bin"), `\0\n${ours} HEAD\n`);
  writeFileSync(join(root, "deep", "er", "data.json"), `{\n${theirs} branch: with a colon\n}`);
  git("add", ".");
  const remedy = "a line of a conflict that was not merged; edit the file";
  assert.equal(findConflictMarkers(root), [`deep/er/data.json:2: ${remedy}`, `page.md:2: ${remedy}`]);
});

test.run();
