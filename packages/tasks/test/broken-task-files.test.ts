import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { listTasks, openTasks } from "../src/index.ts";
import { refused } from "./refused.ts";
import { withFiles } from "./temporary-folder.ts";

const plain = "task: t\ndataset_path: x\ntest_split: test\ndoc_to_text: a\ndoc_to_target: b\n";

/** What is wrong with files, and what the error has to say. */
const broken: readonly (readonly [string, Readonly<Record<string, string>>, RegExp, name?: string])[] = [
  ["an alias to what it is in", { "a.yaml": `${plain}metadata: &a {b: *a}\n` }, /a\.yaml is nested deeper than 100 levels/],
  ["an alias of nothing", { "a.yaml": `${plain}metadata: *zz\n` }, /a\.yaml cannot be read as YAML: .*zz/],
  [
    "aliases that stand for billions",
    {
      "a.yaml": `${plain}metadata:\n  a: &a [1,1,1,1,1,1]\n${["b", "c", "d", "e", "f", "g", "h"]
        .map(
          (name, index) =>
            `  ${name}: &${name} [${Array(6)
              .fill(`*${"abcdefg".charAt(index)}`)
              .join(",")}]\n`,
        )
        .join("")}`,
    },
    /a\.yaml cannot be read as YAML: .*alias/,
  ],
  ["lists in lists", { "a.yaml": `${plain}metadata: ${"[".repeat(500)}${"]".repeat(500)}\n` }, /deeper than 100 levels/],
  [
    "a binary value",
    { "a.yaml": plain.replace("text: a", "text: !!binary aGFsbG8=") },
    /a\.yaml has a value with a tag that tasks do not/,
  ],
  ["a set", { "a.yaml": plain.replace("target: b", "target: !!set {a, b}") }, /a\.yaml has a value with a tag that tasks do not/],
  ["an include of itself", { "a.yaml": `include: b\n${plain}`, b: "include: b\n" }, /"t", but .*b includes itself/],
  ["an include of nothing", { "a.yaml": `include: nope\n${plain}` }, /"t", but .*nope, which a task names, does not exist/],
  ["an include of a device", { "a.yaml": `include: /dev/zero\n${plain}` }, /zero (?:is no regular file|.*does not exist)/],
  ["an include of a folder", { "a.yaml": `include: .\n${plain}` }, /is no regular file/],
  ["an include with NUL", { "a.yaml": `include: "a\\0b"\n${plain}` }, /does not exist/],
  ["a name with control characters", { "a.yaml": plain.replace("t\n", '"t\\e[31m"\n') }, /"t\\u001b\[31m" has control/, "t*"],
  ["a name of 201 characters", { "a.yaml": plain.replace("t\n", `${"t".repeat(201)}\n`) }, /more than 200 characters/, "t*"],
  ["a group without tasks", { "a.yaml": "group: t\ntask: []\n" }, /the group t has no tasks/],
  [
    "groups that double with each level",
    Object.fromEntries([
      ["leaf.yaml", plain.replace("t\n", "g30\n")],
      ...Array.from({ length: 30 }, (_, level): [string, string] => [
        `g${level}.yaml`,
        `group: ${level === 0 ? "t" : `g${level}`}\ntask: [g${level + 1}, g${level + 1}]\n`,
      ]),
    ]),
    /more than 100000 members of groups/,
  ],
];

for (const [what, files, message, name = "t"] of broken) {
  test(`broken task files: ${what}`, async () => {
    await withFiles(files, async (folder) => {
      await refused(openTasks([name], { paths: [folder] }), message);
    });
  });
}

test("broken task files: a broken file hides no other", async () => {
  await withFiles({ "a.yaml": plain, "b.yaml": "task: [\n", "c.yaml": "include: nope\n" }, async (folder) => {
    await symlink(folder, join(folder, "loop.yaml"));
    assert.is((await openTasks(["t"], { paths: [folder] })).tasks.length, 1);
  });
});

test("task files: a flow mapping, and an indented one, are found and read like any other", async () => {
  const fields = "dataset_path: x, test_split: test, doc_to_text: a, doc_to_target: b";
  const files = {
    "flow.yaml": `{task: flow, tag: both, ${fields}}\n`,
    "lines.yaml": `# a task\n---\n{\ntask: lines,\n"tag": [both],\n${fields}\n}\n`,
    "indented.yaml": `${plain.replace("t\n", "indented\n").replaceAll(/^/gm, "  ").trimEnd()}\n`,
    "including.yaml": "{include: flow.yaml, task: including}\n",
  };
  await withFiles(files, async (folder) => {
    const listed = await listTasks([folder]);
    assert.equal(
      listed.map(({ name, kind }) => `${kind} ${name}`),
      ["tag both", "task flow", "task including", "task indented", "task lines"],
    );
    const { tasks } = await openTasks(["both", "indented"], { paths: [folder] });
    assert.equal(tasks.map(({ name }) => name).toSorted(), ["flow", "including", "indented", "lines"]);
  });
});

test("globs: as fnmatch, and in time of their length", async () => {
  await withFiles({ "a.yaml": plain.replace("t\n", `${"a".repeat(150)}\n`), "b.yaml": plain }, async (folder) => {
    const open = async (name: string): Promise<number> => (await openTasks([name], { paths: [folder] })).tasks.length;
    assert.is(await open("*"), 2);
    assert.is(await open("?"), 1);
    assert.is(await open("[s-u]"), 1);
    assert.is(await open("[!a]"), 1);
    await refused(open("*a".repeat(30) + "*b"), /no task, group or tag/);
    await refused(open("[z-a]"), /no task, group or tag/);
  });
});

test.run();
