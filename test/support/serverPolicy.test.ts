import { describe, expect, it } from 'vitest'
import { serverPolicy, type Machine } from './serverPolicy.ts'
import { skippedText } from './skippedSuites.ts'

const machine = (docker?: string, jars?: string): Machine => ({ whyNoDocker: () => docker, whyNoJars: () => jars })
const unaskable: Machine = {
  whyNoDocker: () => expect.unreachable(),
  whyNoJars: () => expect.unreachable(),
}

describe('real servers for the tests', () => {
  it('are not started, and the machine is not asked, unless somebody wants them', () => {
    const { source, missingFails } = serverPolicy({}, unaskable)
    const why = 'real servers are started only with TEST_SERVERS=1 or CI=true'
    const orGiven = `${why}, or given by address (docs/services.md)`
    expect(source).toEqual({
      kafka: { unavailable: orGiven },
      cassandra: { unavailable: orGiven },
      java: { unavailable: why },
    })
    expect(missingFails).toBe(false)
  })

  it.each([{ CI: 'true' }, { TEST_SERVERS: '1' }])('come from containers, else from jars, with %j', (environment) => {
    expect(serverPolicy(environment, machine()).source).toEqual({ kafka: 'docker', cassandra: 'docker', java: 'jars' })
    const withoutDocker = serverPolicy(environment, machine('no engine'))
    expect(withoutDocker.source).toEqual({ kafka: 'jars', cassandra: 'jars', java: 'jars' })
    expect(withoutDocker.missingFails).toBe(true)
  })

  it('are missing, with every reason, where there is neither Docker nor Java', () => {
    const { source, missingFails } = serverPolicy({ CI: 'true' }, machine('no engine', 'no Java'))
    expect(source.kafka).toEqual({ unavailable: 'no Java (and Docker: no engine)' })
    expect(source.java).toEqual({ unavailable: 'no Java' })
    expect(missingFails).toBe(true)
  })

  it('are the given ones before all others', () => {
    const given = { KAFKA_BOOTSTRAP_SERVERS: 'k:1', CASSANDRA_CONTACT_POINTS: 'c:2', CASSANDRA_LOCAL_DATACENTER: 'dc' }
    const { source, addresses } = serverPolicy({ ...given, CI: 'true' }, machine())
    expect(source).toEqual({ kafka: 'address', cassandra: 'address', java: 'jars' })
    expect(addresses).toEqual({ kafka: 'k:1', cassandra: { contactPoints: 'c:2', datacenter: 'dc' } })
    expect(serverPolicy(given, unaskable).source).toMatchObject({ kafka: 'address', cassandra: 'address' })
  })

  it('are refused when Cassandra is given without its datacenter', () => {
    expect(() => serverPolicy({ CASSANDRA_CONTACT_POINTS: 'c' }, unaskable)).toThrow(
      'set CASSANDRA_LOCAL_DATACENTER too',
    )
  })
})

describe('the last lines of a run', () => {
  it('are none when nothing was left out', () => {
    expect(skippedText([])).toBe('')
  })

  it('name each suite that was left out, by reason', () => {
    const suite = (title: string, why: string) => ({ file: `test/${title}.test.ts`, title, why })
    expect(skippedText([suite('b', 'no Java'), suite('c', 'no engine'), suite('a', 'no Java')])).toBe(`
NOT RUN: 3 suites were skipped for want of real servers.
  no Java:
    test/a.test.ts > a
    test/b.test.ts > b
  no engine:
    test/c.test.ts > c
`)
  })
})
