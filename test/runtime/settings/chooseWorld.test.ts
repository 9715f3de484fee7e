import { expect, test } from 'vitest'
import { chooseWorld, type World } from '../../../src/runtime/settings/chooseWorld.ts'
import { resolveSettings } from '../../../src/runtime/settings/resolve.ts'

const both = { log: true, rows: true }
const kafka = { KAFKA_BOOTSTRAP_SERVERS: 'k1:9092,k2' }
const cassandra = { CASSANDRA_CONTACT_POINTS: 'c1', CASSANDRA_LOCAL_DATACENTER: 'dc1' }

function world(environment: Record<string, string>, needs = both): World {
  return chooseWorld(resolveSettings({ flags: new Map(), environment, file: null, job: null }), needs)
}

test('with nothing configured a job runs embedded, and the reason names the absent keys', () => {
  expect(world({})).toEqual({
    kind: 'embedded',
    chosenBy: 'kafka.bootstrap.servers and cassandra.contact.points not set',
  })
})

test('with every system configured a job runs on them, and the reason names key and origin', () => {
  expect(world({ ...kafka, ...cassandra })).toEqual({
    kind: 'real',
    chosenBy:
      'kafka.bootstrap.servers (environment KAFKA_BOOTSTRAP_SERVERS), cassandra.contact.points (environment CASSANDRA_CONTACT_POINTS) and cassandra.local.datacenter (environment CASSANDRA_LOCAL_DATACENTER)',
    brokers: [
      { host: 'k1', port: 9092 },
      { host: 'k2', port: 9092 },
    ],
    cassandra: { contactPoints: [{ host: 'c1', port: 9042 }], localDatacenter: 'dc1' },
  })
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
  expect(world(cassandra, { log: true, rows: false }).kind).toBe('embedded')
  expect(world(kafka, { log: true, rows: false })).toMatchObject({ kind: 'real', cassandra: null })
  expect(world(kafka, { log: false, rows: false }).kind).toBe('embedded')
})
