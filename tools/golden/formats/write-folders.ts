/** Writes the folders that make_fixtures.py loads: node --conditions=mbs-source --import tsx write-folders.ts FOLDER */
import { formatCases, writeCase } from "../../../packages/assembly/test/fixtures/quantised-model.ts";

const [root] = process.argv.slice(2);
if (root === undefined) throw new Error("name the folder to write to");
for (const formatCase of formatCases) await writeCase(root, formatCase);
