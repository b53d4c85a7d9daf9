/** Colours and shapes of every page. Nothing is loaded from anywhere: system fonts, no images but the configured logo. */

const DEFAULT_ACCENT = '#3a4fc4';
const HEX_COLOUR = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i;

/**
 * The style sheet of all pages.
 *
 * @param accent `#rgb` or `#rrggbb` of the primary button; anything else is ignored, since it goes into a `<style>` as it is
 */
export function pageStyle(accent = DEFAULT_ACCENT): string {
  const digits = HEX_COLOUR.exec(accent)?.[1];
  const colour =
    digits === undefined ? DEFAULT_ACCENT : `#${digits.length === 3 ? digits.replace(/./g, '$&$&') : digits}`;
  return `:root{--accent:${colour};--on-accent:${readableOn(colour)}}${SHEET}`.replace(/\s*\n\s*/g, '');
}

/** Black or white, whichever WCAG 2.2 §1.4.3 reads better on `colour`; one of them always reaches 4.5:1. */
function readableOn(colour: string): string {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 ? '#ffffff' : '#000000';
}

const SHEET = `
:root{
  color-scheme:light dark;
  --page:#f3f4f6;--card:#ffffff;--sunk:#f6f7f9;--text:#1a1e26;--quiet:#545d6c;--line:#dfe3e8;--edge:#7d8694;--focus:#1d4ed8;
  --bad:#9f1c15;--bad-soft:#fdf0ef;--bad-line:#efc3c0;
  --care:#714400;--care-soft:#fff7e8;--care-line:#eed5a3;
  --good:#14592f;--good-soft:#eef8f1;--good-line:#b9dec6;
  font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",Cantarell,sans-serif;
}
@media (prefers-color-scheme:dark){:root{
  --page:#0f1216;--card:#181c22;--sunk:#20252d;--text:#e9ecf1;--quiet:#a7b0be;--line:#2e353f;--edge:#7b8595;--focus:#a5c0ff;
  --bad:#ffb4ab;--bad-soft:#33191a;--bad-line:#6b2f2e;
  --care:#f5cf8e;--care-soft:#2d2413;--care-line:#62502a;
  --good:#a4dfb7;--good-soft:#14291c;--good-line:#2f5b3f;
}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;background:var(--page);color:var(--text);
  overflow-wrap:anywhere}
.top,main{width:100%;max-width:29rem;margin-inline:auto;padding-inline:1rem}
.wide .top,.wide main{max-width:46rem}
.top{display:flex;align-items:center;gap:.625rem;padding-block:1.5rem 1rem;font-weight:600}
.top img{max-height:2rem;max-width:9rem;display:block}
.mark{flex:none;width:2rem;height:2rem;border-radius:.5rem;background:var(--accent);color:var(--on-accent);display:grid;place-items:center;font-weight:700}
main{flex:1;padding-bottom:2rem}
@media (min-width:40rem) and (min-height:44rem){.top{padding-top:4.5rem}.wide .top{padding-top:2.5rem}}
h1,h2,h3,p,ul,dl,dd,fieldset{margin:0;padding:0}
h1{font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.012em;text-wrap:balance}
h2{font-size:1.125rem;line-height:1.35;font-weight:650}
h3{font-size:1rem;line-height:1.4;font-weight:600}
ul{list-style:none}
a{color:inherit;text-underline-offset:.18em;text-decoration-thickness:.06em;text-decoration-color:color-mix(in srgb,currentColor 60%,transparent)}
a:hover{text-decoration-thickness:.14em;text-decoration-color:currentColor}
code{font:.875em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;background:var(--sunk);
  padding:.1em .3em;border-radius:.3em}
:is(h1,h2) code{background:none;padding:0}
.quiet{color:var(--quiet)}
.small{font-size:.875rem}
.stack{display:grid;gap:1.25rem;min-width:0}
.tight{display:grid;gap:.25rem;min-width:0}
.card{background:var(--card);border:1px solid var(--line);border-radius:1rem;padding:1.25rem;display:grid;gap:1.25rem;min-width:0}
@media (min-width:30rem){.card{padding:1.75rem}}
.field{display:grid;gap:.375rem}
.field label{font-weight:600}
input:not([type=checkbox]){font:inherit;width:100%;min-height:2.875rem;padding:.5rem .75rem;color:inherit;background:var(--card);
  border:1px solid var(--edge);border-radius:.625rem}
input[aria-invalid=true]{border-color:var(--bad);border-width:2px}
button{font:inherit;font-weight:600;min-height:2.875rem;padding:.5rem 1.125rem;border-radius:.625rem;border:1px solid var(--edge);
  background:transparent;color:inherit;cursor:pointer;text-align:center;text-decoration:none;display:inline-flex;align-items:center;
  justify-content:center}
button:hover{background:var(--sunk)}
button.primary{background:var(--accent);color:var(--on-accent);border-color:color-mix(in srgb,var(--accent) 70%,var(--edge))}
button.primary:hover{background:color-mix(in srgb,var(--accent) 88%,var(--text))}
button.minor{min-height:2.5rem;padding:.25rem .875rem;font-size:.9375rem}
button.link{min-height:2rem;padding:.25rem;margin:-.25rem;border:0;text-decoration:underline;text-underline-offset:.18em;border-radius:.25rem}
button.link:hover{background:none;text-decoration-thickness:.14em}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
.actions{display:grid;grid-template-columns:1fr 1fr;gap:.75rem}
.notice{border:1px solid var(--line);background:var(--sunk);border-radius:.75rem;padding:.875rem 1rem;display:grid;gap:.25rem}
.notice.bad{background:var(--bad-soft);border-color:var(--bad-line);color:var(--bad)}
.notice.care{background:var(--care-soft);border-color:var(--care-line);color:var(--care)}
.notice.good{background:var(--good-soft);border-color:var(--good-line);color:var(--good)}
.notice strong{display:block}
.host{display:block;font-size:1.1875rem;font-weight:650;line-height:1.35}
fieldset{border:0;min-width:0}
legend{padding:0;font-weight:600;margin-bottom:.5rem}
.choices{border:1px solid var(--line);border-radius:.75rem;overflow:hidden}
.choices li+li{border-top:1px solid var(--line)}
.choices label{display:grid;grid-template-columns:auto 1fr;gap:.125rem .75rem;padding:.75rem 1rem;cursor:pointer;align-items:start}
.choices label:hover{background:var(--sunk)}
.choices label:focus-within{outline:3px solid var(--focus);outline-offset:-3px;border-radius:.75rem}
.choices input{width:1.25rem;height:1.25rem;margin:.125rem 0 0;accent-color:var(--accent)}
.choices input:focus-visible{outline:0}
.choices span{min-width:0}
.choices .quiet{display:block;font-size:.875rem}
.tag{display:inline-block;font-size:.75rem;font-weight:600;line-height:1.5;padding:.05rem .5rem;border:1px solid var(--edge);
  border-radius:1rem;color:var(--quiet);white-space:nowrap;vertical-align:.08em}
.rows>li{padding-block:1rem;display:grid;gap:.75rem}
.rows>li:first-child{padding-top:0}
.rows>li:last-child{padding-bottom:0}
.rows>li+li{border-top:1px solid var(--line)}
@media (min-width:34rem){.rows>li{grid-template-columns:1fr auto;align-items:center}}
.rows form{display:flex}
.tags{display:flex;flex-wrap:wrap;gap:.375rem}
.tags:empty{display:none}
.split{display:flex;flex-wrap:wrap;gap:.75rem 1rem;align-items:center;justify-content:space-between}
.symptom{scroll-margin-top:1rem}
.symptom:target{border-color:var(--edge);box-shadow:0 0 0 1px var(--edge)}
.causes>li{padding-block:.875rem;display:grid;gap:.25rem;border-top:1px solid var(--line)}
.causes code,.rows code{white-space:normal}
var{font-style:italic}
.causes>li:last-child{padding-bottom:0}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (prefers-reduced-motion:no-preference){button,.choices label{transition:background-color .12s}}
@media (prefers-contrast:more){:root{--line:var(--edge);--quiet:var(--text)}}
@media print{.top,button{display:none}}
`;
