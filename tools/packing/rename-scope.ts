/**
 * Gives the packages another scope, in every file that git keeps: imports, manifests, documents, tests.
 *
 * usage: node --import tsx tools/packing/rename-scope.ts @new   (then: npm run packages && npm install && npm run format)
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { readManifests } from "./tarballs.ts";

const scopePattern = /^@[a-z0-9][a-z0-9-]*$/;

/**
 * A text with another scope: in names of packages, also where a regular expression has them ("@old\/onnx"), and of their tarballs.
 *
 * @param from "@old"
 */
export function withScope(text: string, from: string, to: string): string {
  const names = text.replaceAll(new RegExp(`(?<![\\w.-])${from}(?=\\\\?/)`, "g"), to);
  return names.replaceAll(new RegExp(`(?<=\\./)${from.slice(1)}(?=-[a-z-]+-(?:\\*|\\d[\\w.-]*)\\.tgz)`, "g"), to.slice(1));
}

/** The scope that the packages have now. */
export function scopeOf(names: Iterable<string>): string {
  const scopes = new Set([...names].filter((name) => name.startsWith("@")).map((name) => name.replace(/\/.*/, "")));
  const [scope] = scopes;
  if (scope === undefined || scopes.size > 1) throw new Error(`one scope was expected: ${[...scopes].join(", ")}`);
  return scope;
}

function main(to: string): void {
  if (!scopePattern.test(to)) throw new Error("usage: rename-scope.ts @new (small letters, digits and hyphens)");
  const root = resolve(import.meta.dirname, "../..");
  const from = scopeOf(readManifests(root).keys());
  // -I: no binary files
  const listed = execFileSync("git", ["grep", "-Ilz", "-e", from, "-e", `${from.slice(1)}-.*tgz`], {
    cwd: root,
    encoding: "utf8",
  });
  for (const path of listed.split("\0").filter(Boolean)) {
    const before = readFileSync(join(root, path), "utf8");
    const after = withScope(before, from, to);
    if (after !== before) writeFileSync(join(root, path), after);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main(process.argv[2] ?? "");
