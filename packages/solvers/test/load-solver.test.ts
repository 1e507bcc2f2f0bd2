import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { UsageError } from "@mbs/contracts";
import { loadSolver, solvers } from "../src/index.ts";

const loading = suite<{ folder: string }>("loadSolver");

/** Where a built file of this package is, as a literal. */
const built = (file: string) => JSON.stringify(pathToFileURL(resolve(import.meta.dirname, "../dist", file)).href);

/** A third-party project: the packed contracts package alone, and solvers of its own. */
loading.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "mbs-third-party-"));
  const npm = (...args: string[]) => execFileSync("npm", args, { cwd: context.folder, encoding: "utf8", stdio: "pipe" });
  writeFileSync(join(context.folder, "package.json"), JSON.stringify({ name: "third-party", private: true, type: "module" }));
  const contracts = resolve(import.meta.dirname, "../../contracts");
  const tarball = npm("pack", contracts, "--silent", "--pack-destination", context.folder).trim();
  npm("install", "--ignore-scripts", "--no-audit", "--no-fund", "--offline", `./${tarball}`);
  cpSync(join(import.meta.dirname, "fixtures/third-party.js"), join(context.folder, "mine.js"));
  mkdirSync(join(context.folder, "node_modules/solver-of-mine"));
  cpSync(join(import.meta.dirname, "fixtures/third-party.js"), join(context.folder, "node_modules/solver-of-mine/index.js"));
  writeFileSync(
    join(context.folder, "node_modules/solver-of-mine/package.json"),
    JSON.stringify({ name: "solver-of-mine", type: "module", exports: "./index.js" }),
  );
});

loading.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

loading("our solvers come by their names", async () => {
  for (const name of solvers.keys()) assert.is((await loadSolver(name)).name, name);
});

loading("a third-party solver comes by path or package and passes the conformance suite", ({ folder }) => {
  // a process of its own: the packed contracts package has no sources, which these tests run from
  const script = `
    import { loadSolver } from ${built("index.js")};
    import { conformanceSuite } from ${built("conformance/index.js")};
    for (const name of ["./mine.js", ${JSON.stringify(join(folder, "mine.js"))}, "solver-of-mine"]) {
      const solver = await loadSolver(name);
      for (const { run } of conformanceSuite(solver, { options: [{}, { width: 0.5 }] })) await run();
      console.log(solver.name);
    }`;
  writeFileSync(join(folder, "check.js"), script);
  const env = { ...process.env, NODE_OPTIONS: "" };
  const output = execFileSync(process.execPath, ["check.js"], { cwd: folder, encoding: "utf8", env });
  assert.is(output, "band\nband\nband\n");
});

const refuses = async (folder: string, name: string, pattern: RegExp) => {
  try {
    await loadSolver(name, folder);
  } catch (error) {
    assert.instance(error, UsageError);
    assert.match((error as Error).message, pattern);
    assert.not.match((error as Error).message, /\n/);
    return;
  }
  assert.unreachable(`${name} was loaded`);
};

loading("what is no solver is refused with what is wrong", async ({ folder }) => {
  const write = (file: string, text: string) => writeFileSync(join(folder, file), text);
  const valid = `name: "x", source: "s", summary: "s", needs: [], options: {}, solve() {}`;
  write("broken.js", "export default {");
  write("named.js", `export const solver = { ${valid} };`);
  write("needs.js", `export default { ${valid}, needs: ["hessian"] };`);
  write("solve.js", `export default { ${valid}, solve: 1 };`);
  write("options.js", `export default { ${valid}, options: { bits: 4 } };`);
  write("spaced.js", `export default { ${valid}, options: { "two words": { kind: "flag", description: "d" } } };`);
  write("negative.js", `export default { ${valid}, options: { noGroups: { kind: "flag", description: "d" } } };`);
  const named = `fast: { kind: "flag", description: "d" }`;
  write("taken.js", `export default { ${valid}, grids: ["groups"], options: { bits: { kind: "integer", description: "d" } } };`);
  write("groups.js", `export default { ${valid}, grids: ["groups"], groupOptions: ["slow"], options: { ${named} } };`);
  write("stuck.js", `await new Promise(() => {}); export default { ${valid} };`);
  await refuses(
    folder,
    "gtpq",
    /no solver "gtpq": no package of this name is installed; did you mean gptq\? take rtn, .*, a path/,
  );
  await refuses(folder, "sparsegtp", /did you mean sparsegpt\? take rtn/);
  await refuses(folder, "./absent.js", /no solver "\.\/absent\.js": there is no such file; take rtn, /);
  await refuses(
    folder,
    "./broken.js",
    /solver "\.\/broken\.js" does not load: Unexpected end of input; node --check \S+\/broken\.js shows the line, unless/,
  );
  write("throws.js", "const a = 1;\nabsent(a);\n");
  await refuses(
    folder,
    "./throws.js",
    /solver "\.\/throws\.js" does not load: absent is not defined, at \S+\/throws\.js:2; fix it there$/,
  );
  write("imports.js", 'import { absent } from "./needs.js";\nexport default absent;\n');
  await refuses(
    folder,
    "./imports.js",
    /does not load: .* does not provide an export named 'absent', at \S+\/imports\.js:1; fix it there$/,
  );
  await refuses(folder, "", /no solver "": the name is empty; take/);
  await refuses(folder, "needs.js", /no solver "needs\.js": a file is named by a path, \.\/needs\.js; take/);
  mkdirSync(join(folder, "folder"));
  await refuses(folder, "./folder", /no solver "\.\/folder": it is a folder; name the file in it; take/);
  execFileSync("mkfifo", [join(folder, "pipe")]);
  await refuses(folder, "./pipe", /no solver "\.\/pipe": it is no regular file; take/);
  await refuses(
    folder,
    "./stuck.js",
    /solver "\.\/stuck\.js" does not load: a promise that its module awaits never settled; fix it$/,
  );
  await refuses(folder, "./named.js", /no default export/);
  await refuses(
    folder,
    "./needs.js",
    /it needs "hessian"; statistics are factor, diagonal, gram, crossMoment, languageDiagonals/,
  );
  await refuses(folder, "./solve.js", /its solve is not a function/);
  await refuses(folder, "./options.js", /its option "bits" is no object/);
  await refuses(folder, "./taken.js", /its option bits follows from its grids; leave it out/);
  await refuses(folder, "./groups.js", /its groupOptions are not a list of its options/);
  await refuses(folder, "./spaced.js", /its option "two words" is no name in camelCase/);
  await refuses(folder, "./negative.js", /its option "noGroups" is no name in camelCase, or begins with "no"/);
});

loading.run();
