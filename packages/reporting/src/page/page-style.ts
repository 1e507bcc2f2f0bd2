import { pageColours } from "../plots/palette.ts";

const variables = (colours: Readonly<Record<string, string>>): string =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(";");

const shadow = (side: "left" | "right"): string =>
  `linear-gradient(to ${side === "left" ? "right" : "left"},var(--shade),transparent) ${side}/.75rem 100% no-repeat scroll`;
const cover = (side: "left" | "right"): string =>
  `linear-gradient(to ${side === "left" ? "right" : "left"},var(--paper) 50%,transparent) ${side}/2rem 100% no-repeat local`;
/** A shadow at an edge beyond which there is more; at the end a cover scrolls over it. */
const scrollShadows = [cover("left"), cover("right"), shadow("left"), shadow("right")].join(",");

/** The style of every page: light and dark, a phone's width and a desk's, screen and paper. */
export const pageStyle = `
:root{color-scheme:light dark;${variables(pageColours.light)}}
@media (prefers-color-scheme:dark){:root{${variables(pageColours.dark)}}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:80rem;padding:1rem;font:1rem/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);overflow-wrap:break-word}
h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0 1rem}
h2{font-size:1.25rem;line-height:1.3;margin:0 0 .5rem}
h3{font-size:1rem;line-height:1.4;margin:0 0 .25rem}
p,ul{margin:.5rem 0;max-width:48rem}
a{color:var(--link)}
section{margin-top:2.5rem;padding-top:1.25rem;border-top:1px solid var(--line)}
nav{font-size:.95rem}nav ul{margin:0;max-width:none;padding:0;list-style:none;columns:16rem}nav li{padding:.2rem 0;break-inside:avoid}
article{margin:1rem 0;max-width:60rem;padding:.75rem 1rem;background:var(--tint);border-left:.25rem solid var(--link)}
article p{margin:.25rem 0}
.shown{display:flex;flex-wrap:wrap;align-items:flex-start;gap:.5rem 2rem;margin:1rem 0}
.shown>*{max-width:100%;flex:0 0 100%}.shown>figure{flex:0 1 auto}.shown>figure+.scroll{flex:1 1 min-content}
figure{margin:0}svg{display:block}
.scroll{overflow-x:auto;max-width:100%;background:${scrollShadows}}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;margin:.5rem 0}
caption{text-align:left;color:var(--soft);padding:.25rem 0}
caption span{display:inline-block;position:sticky;left:0;max-width:calc(100vw - 3rem)}
th,td{padding:.3rem .5rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
thead th{border-bottom-width:2px;vertical-align:bottom}
tbody th{font-weight:600;position:sticky;left:0;background:var(--paper)}
.n{text-align:right}.wide{min-width:8rem}
summary{cursor:pointer;color:var(--link);padding:.4rem 0}
pre,code{font:.85rem/1.45 ui-monospace,monospace}pre{margin:.5rem 0;padding:.75rem;background:var(--tint);white-space:pre-wrap;overflow-wrap:anywhere}
article pre{padding:.5rem 0;background:none}
@media (max-width:40rem){ul{padding-left:1.25rem}table{font-size:.8rem}th,td{padding:.3rem .25rem}}
@media print{nav{display:none}section{break-inside:avoid}}
`.trim();
