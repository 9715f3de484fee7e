// This file makes suites for others; it is none itself.
/* oxlint-disable vitest/no-conditional-tests, vitest/valid-title, vitest/no-disabled-tests, vitest/expect-expect */
import { appendFileSync } from 'node:fs'
import { get } from 'node:http'
import { relative } from 'node:path'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import type { CassandraPlace, Need } from './serverPolicy.ts'
import type { SkippedSuite } from './skippedSuites.ts'

/** The shared servers of the run, once `beforeAll` has run. A suite uses names of its own: others use them as well. */
export interface RealServers {
  /** The bootstrap servers, for a suite that needs `kafka`. */
  kafka(): string
  /** For a suite that needs `cassandra`. */
  cassandra(): CassandraPlace
}

/** The first start may fetch jars or images. */
const startTimeoutMs = 600_000

/**
 * A suite that runs against real servers. `kafka` and `cassandra` are the shared ones of the run, started when the first
 * suite needs them; `java` says that the suite starts servers of its own with `startKafka` and `startCassandra`, to kill
 * and to freeze them. Where a need cannot be met the suite is skipped and the last lines of the run say so; with CI=true
 * or TEST_SERVERS=1 it fails.
 *
 *     describeWithServers('the Kafka source', ['kafka'], (servers) => {
 *       it('reads a topic', async () => { … servers.kafka() … })
 *     })
 */
export function describeWithServers(
  title: string,
  needs: readonly Need[],
  suite: (servers: RealServers) => void,
): void {
  const { policy, skippedFile, socket } = inject('realServers')
  const reasons = needs.flatMap((need) => {
    const source = policy.source[need]
    return typeof source === 'string' ? [] : [source.unavailable]
  })
  const why = [...new Set(reasons)].join('; ')
  if (why === '') {
    describe(title, () => {
      suite(startWhenNeeded(needs, socket))
    })
    return
  }
  if (policy.missingFails) {
    describe(title, () => {
      it('has the servers it needs', () => {
        throw new Error(why)
      })
    })
    return
  }
  const file = relative(process.cwd(), expect.getState().testPath ?? '')
  const skipped: SkippedSuite = { file, title, why }
  appendFileSync(skippedFile, `${JSON.stringify(skipped)}\n`)
  describe.skip(title, () => {
    suite({ kafka: notStarted, cassandra: notStarted })
  })
}

function startWhenNeeded(needs: readonly Need[], socket: string): RealServers {
  const found: { kafka?: string; cassandra?: CassandraPlace } = {}
  beforeAll(async () => {
    await Promise.all([
      needs.includes('kafka') && ask(socket, '/kafka').then((place) => (found.kafka = place as string)),
      needs.includes('cassandra') &&
        ask(socket, '/cassandra').then((place) => (found.cassandra = place as CassandraPlace)),
    ])
  }, startTimeoutMs)
  return { kafka: () => found.kafka ?? notStarted(), cassandra: () => found.cassandra ?? notStarted() }
}

function notStarted(): never {
  throw new Error('Name the server among the needs of the suite, and ask for its address inside a test or a hook')
}

function ask(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path }, (response) => {
      const parts: string[] = []
      response.setEncoding('utf8').on('data', (part: string) => parts.push(part))
      response.on('end', () => {
        const text = parts.join('')
        if (response.statusCode === 200) resolve(JSON.parse(text))
        else reject(new Error(text))
      })
    }).on('error', reject)
  })
}
