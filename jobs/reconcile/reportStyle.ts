/** The style of the report: quiet, light or dark as the reader's system is, and nothing loaded from anywhere. */
export const reportStyle = `
:root {
  color-scheme: light dark;
  --page: #f7f7f4; --card: #ffffff; --text: #22272e; --muted: #636c76; --line: #e3e3de;
  --none: #7ba596; --update: #d9982a; --insert: #3f80aa; --delete: #ad5a83; --dead: #a8503f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15171a; --card: #1d2024; --text: #e4e5e2; --muted: #98a1ab; --line: #30353b;
    --none: #6c9a8a; --update: #dba544; --insert: #5f9fc9; --delete: #c87ba1; --dead: #cf7a68;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 900px; margin: 0 auto; padding: 40px 20px 24px; }
h1 { font-size: 24px; font-weight: 600; margin: 0 0 4px; }
h2 { font-size: 17px; font-weight: 600; margin: 0 0 2px; }
p { margin: 0 0 16px; color: var(--muted); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 20px 24px; margin-top: 20px; }
dl.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 12px; margin: 24px 0 0; }
dl.headline div { background: var(--card); border: 1px solid var(--line); border-top: 3px solid var(--line); border-radius: 8px; padding: 12px 14px; }
dl.headline dt { font-size: 13px; color: var(--muted); }
dl.headline dd { margin: 2px 0 0; font-size: 25px; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.2; }
dl.headline dd.share { font-size: 13px; font-weight: 400; color: var(--muted); }
dl.headline .none { border-top-color: var(--none); }
dl.headline .update { border-top-color: var(--update); }
dl.headline .insert { border-top-color: var(--insert); }
dl.headline .delete { border-top-color: var(--delete); }
dl.headline .dead { border-top-color: var(--dead); }
svg { display: block; width: 100%; min-width: 560px; height: auto; }
svg text { font-size: 13px; dominant-baseline: central; fill: var(--text); }
svg .label { font-family: ui-monospace, monospace; font-size: 12px; }
svg .count { fill: var(--muted); font-variant-numeric: tabular-nums; }
svg .axis { stroke: var(--line); }
svg .none { fill: var(--none); }
svg .update { fill: var(--update); }
svg .insert { fill: var(--insert); }
svg .delete { fill: var(--delete); }
svg .dead { fill: var(--dead); }
ul.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; padding: 0; margin: 0 0 12px; font-size: 13px; }
ul.legend li::before { content: ''; display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 7px; background: var(--key); }
ul.legend .none { --key: var(--none); }
ul.legend .update { --key: var(--update); }
ul.legend .insert { --key: var(--insert); }
ul.legend .delete { --key: var(--delete); }
details { margin-top: 14px; }
summary { cursor: pointer; color: var(--muted); font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin-top: 10px; font-size: 13px; }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); font-weight: 400; vertical-align: top; }
thead th { color: var(--muted); white-space: nowrap; }
td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.text { text-align: left; white-space: normal; color: var(--muted); }
thead th + th { text-align: right; }
thead th.text { text-align: left; }
tbody th { min-width: 150px; font-family: ui-monospace, monospace; font-size: 12px; overflow-wrap: anywhere; }
footer { margin-top: 24px; font-size: 13px; color: var(--muted); }
`
