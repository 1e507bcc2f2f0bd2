/**
 * Leads relative links of a package's README to where they lead in the repository, as addresses from its root. TypeDoc would copy
 * the files they name; the site has most of them as pages.
 */
import { posix } from "node:path";

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.renderer.on("beginRender", ({ project }) => {
    for (const { name, readme } of project.children ?? []) {
      for (const part of readme ?? []) {
        if (part.kind !== "relative-link") continue;
        part.text = posix.join("/packages", name.replace(/^@[^/]*\//, ""), part.text);
        part.target = undefined;
        part.targetAnchor = undefined;
      }
    }
  });
}
