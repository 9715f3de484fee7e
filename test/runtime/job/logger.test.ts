import { describe, expect, test } from 'vitest'
import { TidemarkError } from '../../../src/core/errors.ts'
import { Secrets } from '../../../src/core/secrets.ts'
import { createLogger, type LoggerOptions } from '../../../src/runtime/job/logger.ts'

const clock = {
  now: () => Date.UTC(2026, 0, 31, 8),
  monotonicMs: () => 0,
  after: () => ({ cancel() {} }),
  soon() {},
}

function logged({
  secrets: texts = [],
  ...options
}: Omit<Partial<LoggerOptions>, 'secrets'> & { isTTY?: boolean; secrets?: string[] } = {}) {
  const lines: string[] = []
  const secrets = new Secrets()
  for (const text of texts) secrets.learn(text)
  const stream = { write: (text: string) => lines.push(text), isTTY: options.isTTY ?? false }
  return { lines, log: createLogger({ level: 'info', format: 'auto', stream, clock, secrets, ...options }) }
}

describe('as JSON', () => {
  test('a line is written at once, with level, time, fields and message', () => {
    const { lines, log } = logged()
    log.with({ task: 3 }).info('committed', { epoch: 7 })
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'info',
      time: '2026-01-31T08:00:00.000Z',
      task: 3,
      epoch: 7,
      msg: 'committed',
    })
  })

  test('lines below the level are not written', () => {
    const { lines, log } = logged({ level: 'warn' })
    log.info('no')
    log.debug('no')
    log.warn('yes')
    log.error('yes')
    expect(lines).toHaveLength(2)
  })

  test('an error shows code, message, details and cause, and its stack only at debug level', () => {
    const error = new TidemarkError('commit-failed', 'It failed.', {
      cause: new Error('why'),
      details: { partition: 2 },
    })
    const { lines, log } = logged()
    log.error('epoch', { error })
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      error: { code: 'commit-failed', message: 'It failed.', partition: 2, cause: 'why' },
    })
    expect(lines[0]).not.toContain('stack')
    const atDebug = logged({ level: 'debug' })
    atDebug.log.error('epoch', { error })
    expect(atDebug.lines[0]).toContain('logger.test.ts')
  })

  test('secrets are masked by name and by their text, also as JSON spells it', () => {
    const { lines, log } = logged({ secrets: ['pa"ss', ''] })
    log.info('login with pa"ss', { password: 'x1', kafka: { sasl: 'x2' }, url: 'k://u:pa"ss@h' })
    expect(lines[0]).not.toMatch(/pa\\?"ss|x1|x2/)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'login with ***', url: 'k://u:***@h' })
  })
})

test('a line of JSON has nothing invisible in it, and means the same', () => {
  const { lines, log } = logged()
  const text = '\u009B1m\u202E\uFEFF\u{E0041}\u2028\uD800'
  log.info(text)
  expect(lines[0]?.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Cs}]/u)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: text })
})

describe('for people', () => {
  test('a terminal gets one readable line and no JSON', () => {
    const { lines, log } = logged({ isTTY: true })
    log.warn('slow', { task: 3 })
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/WARN.*slow.*"task":3/)
    expect(lines[0]?.trim()).not.toMatch(/^\{/)
  })

  test('what is not seen in a message or a field becomes an escape, and a newline begins no line', () => {
    const { lines, log } = logged({ format: 'pretty' })
    log.info('quoted \u001B[2J \u009B1m \\u001b \r\n\u202E end', {
      topic: '\u202Ea\u001B[31m',
      error: new Error('\u200B'),
    })
    expect(lines[0]).toContain('quoted \\x1b[2J \\x9b1m \\u001b \\x0d\\x0a\\u202e end')
    expect(lines[0]?.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})
