import { describe, expect, test } from 'vitest'
import { reconcileReport } from '../../../jobs/reconcile/report.ts'
import { summaryInput, tally } from './summaryInput.ts'

/** The widths of the bar's segments, from left to right. */
function segmentWidths(html: string, label: string): readonly number[] {
  const row = html.split('<g>').find((part) => part.includes(`<title>${label}</title>`)) ?? ''
  return [...row.matchAll(/<rect class="\w+" x="[\d.]+" y="[\d.]+" width="([\d.]+)"/g)].map(([, width]) =>
    Number(width),
  )
}

const attack = `"><script>alert('x')</script><img src=x onerror=alert(1)>&\u202e`

describe('the report', () => {
  const html = reconcileReport(summaryInput())

  test('has the headline figures with their shares', () => {
    expect(html).toContain('<dt>messages</dt><dd>1,300</dd>')
    expect(html).toContain('<dt>matched</dt><dd>1,250</dd><dd class="share">96.2 %</dd>')
    expect(html).toContain('<dt>differing</dt><dd>30</dd>')
    expect(html).toContain('<dt>missing</dt><dd>7</dd>')
    expect(html).toContain('<dt>to delete</dt><dd>3</dd>')
    expect(html).toContain('<dt>dead letters</dt><dd>10</dd>')
  })

  test('has the numbers of each table beside its bar', () => {
    expect(html).toContain(
      '<tr><th scope="row">ks1.users</th><td>1,200</td><td>30</td><td>0</td><td>0</td><td>1,230</td></tr>',
    )
    expect(html).toContain(
      '<tr><th scope="row">shop.orders</th><td>50</td><td>0</td><td>7</td><td>3</td><td>60</td></tr>',
    )
  })

  test('draws bars in proportion, on one scale, and shows what is small', () => {
    const [matched = 0, differing = 0] = segmentWidths(html, 'ks1.users')
    expect((matched + 1.5) / (differing + 1.5)).toBeCloseTo(1200 / 30, 0)
    const [ordersMatched = 0, missing, toDelete] = segmentWidths(html, 'shop.orders')
    expect((matched + 1.5) / (ordersMatched + 1.5)).toBeCloseTo(1200 / 50, 0)
    expect(missing).toBeGreaterThanOrEqual(2)
    expect(toDelete).toBeGreaterThanOrEqual(2)
    expect(segmentWidths(html, 'malformed-json')[0]).toBeCloseTo((segmentWidths(html, 'unknown-table')[0] ?? 0) * 4, -1)
  })

  test('draws the longest bar to the end of the drawing, with room for its count', () => {
    const drawn = segmentWidths(html, 'ks1.users').reduce((sum, width) => sum + width, 0)
    expect(drawn).toBeGreaterThan(500)
    expect(drawn).toBeLessThan(700)
  })

  test('says world and time, from its input', () => {
    expect(html).toContain('World: embedded. Ended 2026-11-02 09:30:00 UTC after 2.50 s, 520 messages a second.')
    expect(reconcileReport(summaryInput())).toBe(html)
  })

  test('explains each reason', () => {
    expect(html).toContain(
      '<th scope="row">malformed-json</th><td class="text">The value is not one JSON text.</td><td>8</td>',
    )
  })

  test('loads nothing, runs nothing, and says so to the browser', () => {
    expect(html).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|href=|src=|https?:/i)
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`)
  })

  test('gives each chart a title, a description and the same numbers as a table', () => {
    const charts = html.match(/<svg [^>]*role="img" aria-labelledby="\w+-title \w+-description">/g) ?? []
    expect(charts).toHaveLength(3)
    for (const id of charts.flatMap((chart) => /"(\w+-title) (\w+-description)"/.exec(chart)?.slice(1) ?? [])) {
      expect(html.split(` id="${id}"`)).toHaveLength(2)
    }
    expect(html.match(/<table>/g)).toHaveLength(3)
    expect(html).toContain('<th scope="row">ks1.users.age</th><td>21</td>')
  })

  test('closes what it opens', () => {
    for (const name of [
      'main',
      'section',
      'div',
      'dl',
      'ul',
      'svg',
      'g',
      'text',
      'rect',
      'title',
      'table',
      'tr',
      'details',
    ]) {
      const opened = html.match(new RegExp(`<${name}[ >]`, 'g'))?.length
      expect([name, html.match(new RegExp(`</${name}>`, 'g'))?.length]).toEqual([name, opened])
    }
  })
})

test('everything that comes from messages is text in the report', () => {
  const html = reconcileReport(
    summaryInput({
      tallies: [
        tally('messages', [attack, 'NONE'], 5),
        tally('messages', [`${attack}${'y'.repeat(10_000)}`, 'UPDATE'], 5),
        tally('differing', [attack, attack], 5),
        tally('dead-letters', [attack], 5),
      ],
      world: attack,
      settings: { 'reconcile.input.topic': attack, 'reconcile.output.topic': attack, 'reconcile.dlq.topic': attack },
    }),
  )
  expect(html).not.toMatch(/<script|<img|onerror=alert\(1\)>|\u202e/)
  expect(html).toContain('&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;')
  expect(html).toContain('&amp;\\u202e')
})

test('many tables and columns are drawn in part and listed in full', () => {
  const tallies = Array.from({ length: 40 }, (_, n) => [
    tally('messages', [`ks.t${String(n)}`, 'NONE'], 100 - n),
    tally('differing', [`ks.t${String(n)}`, 'c'], 100 - n),
  ]).flat()
  const html = reconcileReport(summaryInput({ tallies }))
  expect(html.match(/<g>/g)).toHaveLength(24)
  expect(html.match(/The 12 largest of 40 are drawn\./g)).toHaveLength(2)
  expect(html).toContain('<th scope="row">ks.t39</th>')
  expect(segmentWidths(html, 'ks.t0')).toHaveLength(1)
  expect(segmentWidths(html, 'ks.t12')).toHaveLength(0)
})

test('a run without a single result has a report too', () => {
  const html = reconcileReport(summaryInput({ tallies: [tally('dead-letters', ['empty-value'], 3)], records: 3 }))
  expect(html).toContain('<dt>dead letters</dt><dd>3</dd><dd class="share">100.0 %</dd>')
  expect(html.match(/<svg/g)).toHaveLength(1)
})

test('a run without dead letters says so', () => {
  const html = reconcileReport(summaryInput({ tallies: [tally('messages', ['ks1.users', 'NONE'], 3)], records: 3 }))
  expect(html).toContain('None: every message could be reconciled.')
})

test('what was counted without labels stands under others', () => {
  const html = reconcileReport(summaryInput({ tallies: [tally('differing', [], 7), tally('dead-letters', [], 2)] }))
  expect(html).toContain('<th scope="row">others</th><td>7</td>')
})
