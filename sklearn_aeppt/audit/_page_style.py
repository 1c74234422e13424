"""How a report's page looks: on a wide screen, on a phone, and on paper."""

#: Contrast of text is 4.5 to 1 or more everywhere.
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 60rem;
       padding: 1rem 1.25rem 3rem; color: #1a1a1a; background: #fff; }
h1 { font-size: 1.5rem; margin: .5rem 0; line-height: 1.25; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; border-bottom: 2px solid #1a1a1a; }
h3 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
h4 { font-size: 1rem; margin: 1.2rem 0 .2rem; }
h1, h2, h3, p, li, td.words, th[scope=row], dd, figcaption { overflow-wrap: anywhere; }
.verdict { border: 2px solid; border-left-width: .6rem; padding: .8rem 1rem; margin: 1rem 0; }
.word { display: inline-block; font-weight: 700; letter-spacing: .03em; color: #fff;
        padding: .1rem .6rem; margin: 0 .5rem .3rem 0; }
.line { font-weight: 600; margin: 0; }
.confidences { border-color: #a4262c; } .confidences .word { background: #a4262c; }
.labels { border-color: #8a4b00; } .labels .word { background: #8a4b00; }
.none { border-color: #0b6a3a; } .none .word { background: #0b6a3a; }
.inconclusive { border-color: #4a4a4a; } .inconclusive .word { background: #4a4a4a; }
.void { border-color: #5b2c83; } .void .word { background: #5b2c83; }
.todo { background: #f3f6f9; padding: .6rem 1rem .6rem 2.2rem; margin: .5rem 0; }
.note, caption, figcaption { color: #4a4a4a; font-size: .9rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr));
            gap: 1.5rem; align-items: start; }
figure { margin: 0; } figure svg { display: block; width: 100%; height: auto; max-width: 34rem; }
svg text { font-family: system-ui, sans-serif; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; margin: .5rem 0 1rem; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { padding: .35rem .5rem; border-bottom: 1px solid #c9c9c9; text-align: right;
         vertical-align: top; font-variant-numeric: tabular-nums; }
thead th { border-bottom: 2px solid #6b6b6b; }
th[scope=row], th:first-child, th.words, .words { text-align: left; font-weight: normal; }
th[scope=row] { min-width: 7rem; }
td small { display: block; color: #4a4a4a; font-size: .85em; white-space: nowrap; }
tr.best small { font-weight: normal; }
thead th, thead th:first-child, thead th.words { font-weight: 600; }
tr.best th, tr.best td { font-weight: 700; }
dt { font-weight: 600; margin-top: .5rem; } dd { margin: 0 0 0 1.2rem; }
code { font-size: .85rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tr, th, td { display: block; width: auto; }
  caption { display: block; }
  tr { border: 1px solid #c9c9c9; padding: .4rem .6rem; margin-bottom: .6rem; }
  tbody th[scope=row] { font-weight: 600; padding: .1rem 0; border: 0; }
  tbody td { display: flex; justify-content: space-between; gap: 1rem; padding: .1rem 0;
             border: 0; text-align: right; }
  tbody td::before { content: attr(data-label); color: #4a4a4a; flex: none; max-width: 50%;
                     text-align: left; font-weight: normal; }
  tbody td.words { text-align: left; }
  tbody td.words[data-label=''] { display: block; }
  td small { display: inline; }
}
@media print {
  @page { margin: 18mm 15mm; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  .word, .todo, rect, circle { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  h2, h3, h4, caption, dt, thead { break-after: avoid; }
  figure, tr, .verdict, .todo, dt, dd { break-inside: avoid; }
  .pictures { grid-template-columns: 1fr 1fr; }
}
"""
