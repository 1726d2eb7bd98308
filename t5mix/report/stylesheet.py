"""How the page looks: light and dark, narrow, wide and on paper."""

STYLESHEET = """
:root {
  color-scheme: light dark;
  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --page: #ffffff; --ink: #1c2024; --soft: #5b646d; --line: #dfe3e8; --panel: #f6f7f9; --link: #0b5cad;
  --gain: #4d94d6; --loss: #e08a4a; --supported: #12704a; --refuted: #a53c00; --inconclusive: #5b646d; --notice: #fff6dc;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #c0649a; --c4: #c98500; --c5: #3aa0dd; --c7: #8a8f94;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --ink: #e7eaed; --soft: #a2abb4; --line: #333a41; --panel: #1d2126; --link: #7db8f0;
    --gain: #2f7fc4; --loss: #c4651f; --supported: #55c795; --refuted: #f29a63; --inconclusive: #a2abb4; --notice: #3a3116;
    --c0: #4a9ede; --c1: #f0843c; --c2: #2fc296; --c3: #e39ac4; --c4: #f2b234; --c5: #8fd0ff; --c7: #9aa1a8;
  }
}
@media print {
  :root {
    color-scheme: light;
    --page: #ffffff; --ink: #000000; --soft: #444c54; --line: #c9ced4; --panel: #f6f7f9; --link: #000000;
    --gain: #4d94d6; --loss: #e08a4a; --supported: #12704a; --refuted: #a53c00; --inconclusive: #444c54; --notice: #fff6dc;
    --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #c0649a; --c4: #c98500; --c5: #3aa0dd; --c7: #8a8f94;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 var(--font); }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0; }
p, figcaption, .caption { max-width: 46rem; overflow-wrap: anywhere; }
p { margin: .5rem 0; }
a { color: var(--link); }
code, pre { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; }
pre { overflow: auto; max-height: 32rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0; margin: 1rem 0 0; }
nav li { font-size: .875rem; }
.notes { background: var(--notice); border-radius: 6px; padding: .6rem 1rem; margin: 1rem 0; max-width: 50rem; }
.notes ul { margin: .2rem 0; padding-left: 1.1rem; }
.notes li { overflow-wrap: anywhere; }
.caption, figcaption { color: var(--soft); font-size: .875rem; line-height: 1.45; margin: .5rem 0; text-align: left; }
figure { margin: 1rem 0; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1rem 1.5rem; }
.panels.two { max-width: 52rem; }
.panels svg { width: 100%; max-width: 26rem; height: auto; display: block; color: var(--ink); fill: currentColor; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; padding: 0; margin: .5rem 0; }
.legend li { font-size: .8125rem; }
.swatch { width: 1.75rem; height: .75rem; vertical-align: -.05em; margin-right: .35rem; color: var(--ink); flex: none; }
.scroll { overflow-x: auto; width: fit-content; max-width: 100%; }
.scroll { margin: .75rem 0; border: 1px solid var(--line); border-radius: 6px; }
.scroll:focus-visible { outline: 2px solid var(--link); }
table { border-collapse: separate; border-spacing: 0; font-size: .875rem; }
table.figures { font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; text-align: left; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { background: var(--panel); font-weight: 600; vertical-align: bottom; max-width: 14rem; }
table.figures td, table.figures thead th:not(:first-child) { text-align: right; }
table.figures td { white-space: nowrap; }
tbody th { font-weight: 500; position: sticky; left: 0; background: var(--page); min-width: 8rem; max-width: 16rem; }
thead th:first-child { position: sticky; left: 0; z-index: 1; }
tbody th, thead th:first-child { border-right: 1px solid var(--line); }
table.words td { min-width: 4rem; max-width: 34rem; overflow-wrap: break-word; }
table.words td.long { min-width: 16rem; }
td small, th small { display: block; color: var(--soft); font-size: .75rem; font-weight: 400; white-space: nowrap; }
td strong { font-weight: 750; }
td.heat { background: color-mix(in srgb, var(--gain) calc(var(--much) * 60%), transparent); }
td.cold { background: color-mix(in srgb, var(--loss) calc(var(--much) * 60%), transparent); }
td.heat small, td.cold small { color: inherit; }
.verdict { border: 1px solid var(--line); border-left: 4px solid var(--inconclusive); border-radius: 6px; margin: .75rem 0; }
.verdict { padding: .7rem 1rem; max-width: 56rem; }
.verdict header { display: flex; flex-wrap: wrap; gap: .1rem .75rem; align-items: baseline; }
.verdict .word { font-weight: 700; color: var(--inconclusive); text-transform: uppercase; font-size: .8125rem; }
.verdict.supported { border-left-color: var(--supported); } .verdict.supported .word { color: var(--supported); }
.verdict.refuted { border-left-color: var(--refuted); } .verdict.refuted .word { color: var(--refuted); }
.verdict p { margin: .25rem 0; }
.verdict .claim { font-weight: 500; }
.verdict ul { margin: .3rem 0 0; padding-left: 1.1rem; font-size: .875rem; color: var(--soft); }
footer { margin-top: 3rem; color: var(--soft); font-size: .8125rem; }
@media (max-width: 40rem) {
  main { padding: 1rem .9rem 3rem; }
  h1 { font-size: 1.4rem; }
  tbody th, thead th:first-child { min-width: 6.5rem; max-width: 9rem; overflow-wrap: break-word; }
  .swatch { width: 1.2rem; margin-right: .2rem; }
  th, td { padding: .35rem .5rem; }
}
@media print {
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  h2 { break-after: avoid; }
  .panels { grid-template-columns: repeat(3, 1fr); }
  .panels svg, .verdict, tr { break-inside: avoid; }
  .scroll { overflow: visible; border: 0; width: auto; }
  table { font-size: 7.5pt; }
  th, td { padding: .2rem .35rem; position: static !important; }
  td small, th small { white-space: normal; }
  td { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  pre { white-space: pre-wrap; max-height: none; }
}
"""
