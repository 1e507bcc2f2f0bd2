import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { countByPackage, executedFiles } from "./executed-files.ts";
import { bitsFiles, gridFiles } from "./grid-files.ts";
import { measureModules } from "./production-install.ts";
import { hasProperty, hasWord, wordsOnly } from "./source-words.ts";

function inFolder(files: Readonly<Record<string, string>>, use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "mbs-structure-test-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("words in comments, messages and regular expressions are none of the program", () => {
  for (const text of ["/** bits */", "call(); // bits", '"3 bits a weight"', "`bits ${of}`", "x.replace(/bits'\"/g, y)"]) {
    assert.not.ok(hasWord(wordsOnly(text), "bits"), text);
  }
  for (const text of ["const bits = 3;", '"bits"', "`${bits} a weight`", 'a("//"); bits', "/** one */ bits /** two */"]) {
    assert.ok(hasWord(wordsOnly(text), "bits"), text);
  }
  for (const text of ["bitsPerWeight", '"bits-per-weight"', "_bits"]) assert.not.ok(hasWord(wordsOnly(text), "bits"), text);
});

test("a property is distinguished from a variable", () => {
  for (const text of ["own.bits", "bits: 3", "readonly bits?: number", "{ bits }", "{ a, bits, c }", 'given["bits"]']) {
    assert.ok(hasProperty(text, "bits"), text);
  }
  for (const text of ["2 ** bits", "const bits = 3", "bitsOf(x)", "own.bitsPerWeight"])
    assert.not.ok(hasProperty(text, "bits"), text);
});

const file = (path: string, source: string) => ({
  path,
  packageName: path.split("/")[0] ?? "",
  lines: 1,
  code: wordsOnly(source),
});

test("a file knows of grids where it names two choices, and only in packages that decide", () => {
  const files = [
    file("pipeline/both.ts", "given.bits ?? given.mixture"),
    file("pipeline/one.ts", "solve({ grid }, part.grid)"),
    file("pipeline/synonyms.ts", 'names.includes("mixture") || own.typeMix'),
    file("artifacts/both.ts", "given.bits ?? given.mixture"),
    file("assembly/bits.ts", "pack(codes, bits)"),
  ];
  assert.equal(gridFiles(files), ["pipeline/both.ts"]);
  assert.equal(bitsFiles(files), ["pipeline/both.ts"]);
});

test("a file has run where one of its functions did, in any of the processes", () => {
  const module = { ranges: [{ count: 1 }] };
  const script = (path: string, ...counts: number[]) => ({
    url: pathToFileURL(`/root/${path}`).href,
    functions: [module, ...counts.map((count) => ({ ranges: [{ count }] }))],
  });
  const [ran, loaded] = [script("packages/a/dist/ran.js", 0, 2), script("packages/a/dist/loaded.js", 0)];
  const others = [script("node_modules/b/dist/x.js", 1), { url: "node:fs", functions: [module, module] }];
  const files = {
    "1.json": JSON.stringify({ result: [ran, loaded, ...others] }),
    "2.json": JSON.stringify({ result: [ran, script("packages/c/dist/d/e.js", 1)] }),
  };
  inFolder(files, (folder) => {
    const found = executedFiles("/root", folder);
    assert.equal([...found].toSorted(), ["packages/a/dist/ran.js", "packages/c/dist/d/e.js"]);
    assert.equal(countByPackage([...found, "packages/c/dist/f.js"]), { c: 2, a: 1 });
  });
});

test("installed packages are counted by name, nested ones too", () => {
  const paths = [
    "a/index.js",
    "@s/b/index.js",
    "a/node_modules/b/index.js",
    "a/node_modules/@s/b/x.js",
    ".bin/a",
    "a/lib/c/d.js",
  ];
  inFolder(Object.fromEntries(paths.map((path) => [`node_modules/${path}`, "x"])), (folder) => {
    assert.is(measureModules(folder).packages, 3);
  });
});

test.run();
