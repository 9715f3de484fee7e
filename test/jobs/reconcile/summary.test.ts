import { stripVTControlCharacters, styleText } from 'node:util'
import { describe, expect, test } from 'vitest'
import { reconcileSummary } from '../../../jobs/reconcile/summary.ts'
import type { OutputExample, TextStyle } from '../../../src/runtime/plan/defineJob.ts'
import { summaryInput, tally } from './summaryInput.ts'

const hash = '0123456789ABCDEF'.repeat(4)

function result(action: string, payload = '{"name":"alice"}'): OutputExample {
  const value = `{"pk":"123","hash":"${hash}","cass_hash":"${hash}","payload":${payload},"ts":1793606400114,"action":"${action}"}`
  return { topic: 'reconcile', key: null, value }
}

const deadLetter = {
  topic: 'reconcile-dlq',
  key: null,
  value: '{"error":"Not JSON.","originalMessage":"ping","timestamp":1}',
}

function linesOf(changes: Parameters<typeof summaryInput>[0] = {}): readonly string[] {
  return reconcileSummary(summaryInput(changes)).lines
}

describe('the summary of a run', () => {
  test('says how many messages, how fast and where', () => {
    expect(linesOf()[0]).toBe('1,300 messages in 2.50 s, 520 a second (embedded)')
  })

  test('counts each action over all tables, aligned, with its meaning', () => {
    expect(linesOf().slice(2, 7)).toEqual([
      '  NONE    1,250   96.2 %  nothing to do: the row agrees with the message',
      '  UPDATE     30    2.3 %  the row differs from the message',
      '  INSERT      7    0.5 %  the row is missing',
      '  DELETE      3    0.2 %  the row is there, and the message says that it is deleted',
      '  dead       10    0.8 %  could not be reconciled, kept in reconcile-dlq',
    ])
  })

  test('gives the reasons of dead letters, most frequent first', () => {
    const lines = linesOf()
    const at = lines.indexOf('Dead letters by reason')
    expect(lines.slice(at + 1, at + 3)).toEqual([
      '  8  malformed-json  The value is not one JSON text.',
      '  2  unknown-table   The message names a keyspace or table that does not exist.',
    ])
  })

  test('names the columns that differ most and the ignored fields', () => {
    expect(linesOf()).toContain('Differing most: ks1.users.age 21, ks1.users.email 11')
    expect(linesOf()).toContain('Ignored: fields that no column has, in 4 messages')
  })

  test('leaves out what did not happen', () => {
    const text = linesOf({ tallies: [tally('messages', ['ks1.users', 'NONE'], 1300)] }).join('\n')
    expect(text).not.toMatch(/reason|Differing|Ignored|output/)
  })

  test('shows the first output of each action and a dead letter, with short fingerprints', () => {
    const outputs = [result('NONE', '{"n":1}'), result('NONE', '{"n":2}'), deadLetter, result('DELETE')]
    const lines = linesOf({ outputs })
    expect(lines.slice(lines.indexOf('An output of each') + 1)).toEqual([
      '  NONE    {"pk":"123","hash":"01234567…","cass_hash":"01234567…","payload":{"n":1},"ts":1793606400114,',
      '           "action":"NONE"}',
      '  DELETE  {"pk":"123","hash":"01234567…","cass_hash":"01234567…","payload":{"name":"alice"},',
      '           "ts":1793606400114,"action":"DELETE"}',
      '  dead    {"error":"Not JSON.","originalMessage":"ping","timestamp":1}',
    ])
  })

  test('shows one result where the shape has no action, its digits as they are', () => {
    const outputs = [{ topic: 'reconcile', key: null, value: '{"pk":9007199254740993}' }]
    const text = linesOf({ outputs, settings: { 'reconcile.shape': 'single-key' } }).join('\n')
    expect(text).toContain('  result  {"pk":9007199254740993}')
  })

  test('stays within 110 characters and some 35 lines, whatever the messages hold', () => {
    const long = 'x'.repeat(100_000)
    const tallies = Array.from({ length: 60 }, (_, n) => [
      tally('messages', [`ks.${long}${String(n)}`, 'UPDATE'], 10),
      tally('differing', [`ks.${long}`, `${long}${String(n)}`], 10 ** 9),
      tally('dead-letters', [`reason-${String(n)}`], 10 ** 9),
    ]).flat()
    const outputs = ['NONE', 'UPDATE', 'INSERT', 'DELETE'].map((action) => result(action, JSON.stringify(long)))
    const lines = linesOf({ tallies, outputs })
    expect(lines.length).toBeLessThan(40)
    expect(lines.filter((line) => Array.from(line).length > 110)).toEqual([])
  })

  test('lets no message move the cursor or turn the text', () => {
    const hostile = '\u001b[2J\u009b31m\r\n\u202e'
    const tallies = [tally('differing', [`ks.${hostile}`, hostile], 1), tally('dead-letters', [hostile], 1)]
    const outputs = [{ topic: 'reconcile-dlq', key: null, value: `{"error":"${hostile}\ud800"}` }]
    const text = linesOf({ tallies, outputs, world: hostile }).join('')
    expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
    expect(text).toContain('\\x1b[2J\\x9b31m')
  })

  test('is in colour only where it may be, with the same text', () => {
    const outputs = [result('NONE'), deadLetter]
    const style = (format: TextStyle, text: string): string => styleText(format, text, { validateStream: false })
    const coloured = linesOf({ outputs, style })
    expect(coloured.join('\n')).not.toBe(linesOf({ outputs }).join('\n'))
    expect(coloured.map((line) => stripVTControlCharacters(line))).toEqual(linesOf({ outputs }))
  })

  test('takes outputs for examples that are not what the job writes', () => {
    const outputs = ['', 'no json', 'null', '[]', '{"action":7}', null].map((value) => ({
      topic: 'reconcile',
      key: null,
      value,
    }))
    expect(linesOf({ outputs })).toEqual(linesOf())
  })
})

test('a run that found nothing says so and leaves an earlier report alone', () => {
  const { lines, reportHtml } = reconcileSummary(summaryInput({ records: 0, tallies: [] }))
  expect(lines).toEqual(['Nothing new: every message of input-topic has been reconciled before.'])
  expect(reportHtml).toBeNull()
})

test('a run too short to measure has a rate all the same', () => {
  expect(linesOf({ durationMs: 0 })[0]).toBe('1,300 messages in 0.00 s, 1,300,000 a second (embedded)')
})

test('a long run has its time in minutes', () => {
  expect(linesOf({ durationMs: 754_000 })[0]).toBe('1,300 messages in 12 min 34 s, 2 a second (embedded)')
})
