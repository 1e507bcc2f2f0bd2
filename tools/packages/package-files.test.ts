import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { derivedFiles, findStaleFiles } from "./package-files.ts";

test("a folder with a name and sources becomes a package, with what it imports and the version and repository of the root", async () => {
  const root = await mkdtemp(join(tmpdir(), "mbs-packages-"));
  const write = async (path: string, content: string): Promise<void> => {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), content);
  };
  try {
    await write("LICENSE", "the licence");
    await write("package.json", '{ "version": "0.3.0", "repository": { "type": "git", "url": "git+https://host/us.git" } }');
    await write("tsconfig.json", '{ "files": [], "references": [] }');
    await write(
      "packages/base/package.json",
      '{ "name": "@mbs/base", "version": "0.2.0", "dependencies": { "@mbs/old": "0.1.0", "zlib": "1.0.0" } }',
    );
    await write("packages/base/src/index.ts", 'import "zlib";');
    await write("packages/base/src/version.ts", "");
    await write(
      "package-lock.json",
      '{ "version": "0.2.0", "packages": { "": {}, "node_modules/zlib": { "version": "1.0.0" }, "packages/mine": { "version": "0.2.0" } } }',
    );
    await write(
      "packages/mine/package.json",
      '{ "name": "@mbs/mine", "devDependencies": { "@mbs/base": "0.2.0", "uvu": "0.5.6" }, "nx": { "tags": ["layer:stage"] } }',
    );
    await write("packages/mine/src/index.ts", 'export { a } from "@mbs/base";');
    assert.match(findStaleFiles(root).join("\n"), /packages\/mine\/tsconfig\.json: does not follow/);
    const files = derivedFiles(root);
    for (const { path, content } of files) await write(path, content);
    assert.equal(findStaleFiles(root), []);
    const json = (path: string) => JSON.parse(files.find((file) => file.path === path)?.content ?? "") as Record<string, unknown>;
    const devDependencies = { "@mbs/base": "0.3.0", uvu: "0.5.6" };
    assert.equal(json("package-lock.json"), {
      version: "0.3.0",
      packages: {
        "": { version: "0.3.0" },
        "node_modules/zlib": { version: "1.0.0" },
        "packages/mine": { version: "0.3.0", dependencies: { "@mbs/base": "0.3.0" }, devDependencies },
      },
    });
    const mine = json("packages/mine/package.json");
    assert.equal(mine["devDependencies"], devDependencies);
    assert.equal(mine["dependencies"], { "@mbs/base": "0.3.0" });
    assert.equal(mine["repository"], { type: "git", url: "git+https://host/us.git", directory: "packages/mine" });
    assert.is(json("packages/base/package.json")["version"], "0.3.0");
    assert.match(files.find(({ path }) => path.endsWith("base/src/version.ts"))?.content ?? "", 'version = "0.3.0"');
    assert.equal(mine["nx"], { tags: ["layer:stage"], targets: { build: {}, lint: {}, test: {} } });
    assert.equal(json("packages/mine/tsconfig.json")["references"], [{ path: "../base" }]);
    assert.equal(json("tsconfig.json")["references"], [{ path: "packages/base" }, { path: "packages/mine" }]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

test.run();
