import { pageColours } from "./palette.ts";

const variables = (colours: Readonly<Record<string, string>>): string =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(";");

/** The style of every page: light and dark, a phone's width and a desk's, screen and paper. */
export const pageStyle = `
:root{color-scheme:light dark;${variables(pageColours.light)}}
@media (prefers-color-scheme:dark){:root{${variables(pageColours.dark)}}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:56rem;padding:1rem;font:1rem/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);overflow-wrap:break-word}
h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0 1rem}
h2{font-size:1.25rem;line-height:1.3;margin:0 0 .5rem}
h3{font-size:1rem;line-height:1.4;margin:0 0 .25rem}
p{margin:.5rem 0;max-width:44rem}
a{color:var(--link)}
section{margin-top:2.5rem;padding-top:1.25rem;border-top:1px solid var(--line)}
nav{font-size:.95rem}nav ul{margin:0;padding:0;list-style:none;columns:16rem}nav li{padding:.2rem 0;break-inside:avoid}
article{margin:1rem 0;padding:.75rem 1rem;background:var(--tint);border-left:.25rem solid var(--link)}
article p{margin:.25rem 0}
figure{margin:1rem 0}figcaption{color:var(--soft);font-size:.9rem}
.scroll{overflow-x:auto;max-width:100%}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;margin:.5rem 0}
caption{text-align:left;color:var(--soft);padding:.25rem 0}
th,td{padding:.3rem .6rem;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}
thead th{border-bottom-width:2px;vertical-align:bottom}
tbody th{font-weight:600;position:sticky;left:0;background:var(--paper)}
.n{text-align:right}.wide{white-space:normal;min-width:12rem}
summary{cursor:pointer;color:var(--link);padding:.4rem 0}
pre,code{font:.85rem/1.45 ui-monospace,monospace}pre{margin:.5rem 0;padding:.75rem;background:var(--tint);width:max-content;min-width:100%}
article pre{padding:.5rem 0;background:none}
@media print{nav{display:none}section{break-inside:avoid}}
`.trim();
