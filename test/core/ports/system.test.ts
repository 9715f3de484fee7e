import { EMPTY } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { Port, type Resource } from '../../../src/core/ports/port.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { systemRandom } from '../../../src/core/ports/random.ts'
import { defineSystem, provided, type SystemDefinition } from '../../../src/core/ports/system.ts'
import { setting, type SettingSpecs } from '../../../src/core/setting.ts'
import { text } from '../../../src/core/settingCodecs.ts'
import { defineJob } from '../../../src/runtime/plan/defineJob.ts'
import { resolveSettings } from '../../../src/runtime/settings/resolve.ts'

const port = new Port<Resource>('rates')
const url = setting(text, { optional: true, meaning: 'Where rates are.', example: 'http://r' })
const define = (given: Partial<SystemDefinition<SettingSpecs, unknown>>) =>
  defineSystem({ name: 'rates', open: () => null, provides: [], ...given })
const job = (given: object) => defineJob({ name: 'rates', pipeline: () => EMPTY, ...given })
const refused = (message: string): unknown =>
  expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining(message) })

describe('a system that is none is refused where it is defined', () => {
  test.each([
    [{ name: 'My Rates' }, "option name must be a word in lower case, not 'My Rates'"],
    [{ keys: ['rates.url'] }, "option keys must be keys of its settings, not 'rates.url'"],
    [{ provides: undefined as never }, 'option provides must be a list of what provided has returned'],
  ])('%o', (given, message) => {
    expect(() => define(given)).toThrow(refused(message))
  })

  test.each([
    ['one that is no list', { systems: define({}) }, 'option systems must be a list of what defineSystem has returned'],
    ['a bare definition', { systems: [{ name: 'rates', provides: [] }] }, 'a list of what defineSystem has returned'],
    [
      'a setting of another name',
      { systems: [define({ settings: { 'other.url': url } })] },
      "the setting 'other.url' of the system rates must begin with rates.",
    ],
    ['two of a name', { systems: [define({}), define({})] }, "two systems are named 'rates'"],
    [
      'a setting of the job too',
      { systems: [define({ settings: { 'rates.url': url } })], settings: { 'rates.url': url } },
      "the setting 'rates.url' of the system rates is one of the job, too",
    ],
  ])('by a job: %s', (_, given, message) => {
    expect(() => job(given)).toThrow(refused(message))
  })
})

test.each([undefined, { name: 'a bare lookup' }])('what is no client is not given as one: %o', (made) => {
  const system = define({ title: 'Rates', provides: [provided(port, () => made as unknown as Resource)] })
  const opened = system.open(resolveSettings({ flags: new Map(), environment: {}, file: null, job: null }), {
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    dataDirectory: '/tmp',
    epochTimes: () => ({ intervalMs: 1, minPauseMs: 0, timeoutMs: 1, longestWaitMs: 0 }),
    runs: null,
    purpose: 'read',
    note: () => undefined,
  })
  expect(() => opened.provide(port)).toThrow(refused('under the port rates; it must be a client'))
})
