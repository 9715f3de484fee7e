import { expect, test } from 'vitest'
import { systems } from '../../../src/composition.ts'
import { jobLogPort } from '../../../src/core/ports/jobLogs.ts'
import type { Port, Resource } from '../../../src/core/ports/port.ts'
import { settingsOfSystems } from '../../../src/core/ports/system.ts'
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
