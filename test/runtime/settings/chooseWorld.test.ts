import { describe, expect, test } from 'vitest'
import { systems } from '../../../src/composition.ts'
import { jobLogPort } from '../../../src/core/ports/jobLogs.ts'
import { Port, type Resource } from '../../../src/core/ports/port.ts'
import { defineSystem, provided, settingsOfSystems } from '../../../src/core/ports/system.ts'
import { setting } from '../../../src/core/setting.ts'
import { text } from '../../../src/core/settingCodecs.ts'
import { chooseWorld, systemUnder, type World } from '../../../src/runtime/settings/chooseWorld.ts'
import { resolveSettings } from '../../../src/runtime/settings/resolve.ts'
import { rowLookupPort } from '../../../src/tables/rowLookup.ts'

const both = [jobLogPort, rowLookupPort]
const kafka = { KAFKA_BOOTSTRAP_SERVERS: 'k1:9092,k2' }
const cassandra = { CASSANDRA_CONTACT_POINTS: 'c1', CASSANDRA_LOCAL_DATACENTER: 'dc1' }

const settingsIn = (environment: Record<string, string>) =>
  resolveSettings({ flags: new Map(), environment, file: null, job: null, world: settingsOfSystems(systems) })

function world(environment: Record<string, string>, ports: readonly Port<Resource>[] = both): World {
  return chooseWorld(settingsIn(environment), systems, ports)
}

test('with nothing configured a job runs embedded, and the reason names the absent keys', () => {
  expect(world({})).toMatchObject({
    kind: 'embedded',
    chosenBy: 'kafka.bootstrap.servers and cassandra.contact.points not set',
    chosen: [],
  })
})

test('with every system configured a job runs on them, and the reason names key and origin', () => {
  const environment = { ...kafka, ...cassandra }
  const { kind, chosenBy, chosen } = world(environment)
  expect(kind).toBe('real')
  expect(chosenBy).toBe(
    'kafka.bootstrap.servers (environment KAFKA_BOOTSTRAP_SERVERS), cassandra.contact.points (environment CASSANDRA_CONTACT_POINTS) and cassandra.local.datacenter (environment CASSANDRA_LOCAL_DATACENTER)',
  )
  expect(chosen.map((system) => [system.name, system.address(settingsIn(environment))])).toEqual([
    ['kafka', 'k1:9092,k2:9092'],
    ['cassandra', 'c1:9042, dc1'],
  ])
})

test.each([
  [kafka, ['cassandra.contact.points', 'cassandra.local.datacenter']],
  [cassandra, ['kafka.bootstrap.servers']],
  [{ ...kafka, CASSANDRA_CONTACT_POINTS: 'c1' }, ['cassandra.local.datacenter']],
])('a mixture %o is refused and names %o', (environment, missing) => {
  expect(() => world(environment)).toThrow(
    expect.objectContaining({ code: 'mixed-worlds', details: { missing: missing.join(',') } }),
  )
})

test('settings of systems that the job does not use do not count', () => {
  expect(world(cassandra, [jobLogPort]).kind).toBe('embedded')
  expect(world(kafka, [jobLogPort]).chosen.map(({ name }) => name)).toEqual(['kafka'])
  expect(world(kafka, []).kind).toBe('embedded')
})

test('a job that uses no log of Kafka has real rows on the log of this machine', () => {
  const chosen = world({ ...kafka, ...cassandra }, [rowLookupPort])
  expect(chosen.kind).toBe('real')
  expect(systemUnder(chosen, rowLookupPort).name).toBe('cassandra')
  expect(systemUnder(chosen, jobLogPort).name).toBe('embedded')
})

describe('a system that no local one stands in for', () => {
  const port = new Port<Resource>('rates')
  const client: Resource = { connect: () => Promise.resolve(), close: () => Promise.resolve() }
  const rates = defineSystem({
    name: 'rates',
    title: 'Rates',
    settings: { 'rates.url': setting(text, { optional: true, meaning: 'Where rates are.', example: 'http://r' }) },
    keys: ['rates.url'],
    open: () => client,
    provides: [provided(port, () => client)],
  })
  const withRates = (environment: Record<string, string>, ports: readonly Port<Resource>[] = [jobLogPort, port]) => {
    const all = [...systems, rates]
    const sources = {
      flags: new Map<string, string>(),
      environment,
      file: null,
      job: null,
      world: settingsOfSystems(all),
    }
    return chooseWorld(resolveSettings(sources), all, ports)
  }

  test('is used beside the log of this machine, and beside a real one', () => {
    const embedded = withRates({ RATES_URL: 'http://r' })
    expect(embedded).toMatchObject({ kind: 'embedded', chosenBy: 'kafka.bootstrap.servers not set', chosen: [rates] })
    expect(systemUnder(embedded, port)).toBe(rates)
    expect(systemUnder(embedded, jobLogPort).name).toBe('embedded')
    const real = withRates({ RATES_URL: 'http://r', ...kafka })
    expect(real.kind).toBe('real')
    expect(systemUnder(real, jobLogPort).name).toBe('kafka')
  })

  test.each([{}, kafka])('names its settings where they are absent, with %o', (environment) => {
    expect(() => systemUnder(withRates(environment), port)).toThrow(
      expect.objectContaining({
        code: 'missing-setting',
        message: expect.stringContaining('set rates.url (in the environment RATES_URL)'),
      }),
    )
  })

  test('lets no real messages meet tables of this machine', () => {
    expect(() => withRates({ RATES_URL: 'http://r', ...kafka }, [...both, port])).toThrow(
      expect.objectContaining({ code: 'mixed-worlds' }),
    )
  })

  test('is asked for where there is none', () => {
    expect(() => systemUnder(world({}), port)).toThrow('systems: [mySystem]')
  })
})
