import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { reconcileSample } from '../../jobs/reconcile/sample.ts'
import { systemRandom } from '../../src/core/ports/random.ts'
import { startKafka, type RunningKafka } from '../servers/kafkaServer.ts'
import { describeWithServers } from '../support/realServers.ts'
import { resultOf, root, startProcess, type Child, type ProcessResult } from './cliProcess.ts'
import { testCli, type CliResult } from './testCli.ts'

const messages = 5000
const partitions = 4

describeWithServers(
  'jobs/reconcile.ts, unchanged, on a real Kafka and a real Cassandra',
  ['java', 'cassandra'],
  (servers) => {
    const started: Child[] = []
    const own = systemRandom.hex(6)
    let directory: string
    /** Of its own: the job's changelog topic and transactional ids have names that other suites use as well. */
    let kafka: RunningKafka
    let real: Record<string, string>
    let expected: readonly string[]

    const tidemark = (environment: Record<string, string>, stdin: string, ...args: string[]): Promise<CliResult> =>
      testCli(
        { directory: root, environment: { DATA_DIR: directory, DASHBOARD_PORT: '0', ...environment }, stdin },
        ...args,
      )

    const start = (...args: string[]): Child => {
      const child = startProcess(directory, ['src/cli/tidemark.js', 'run', 'jobs/reconcile.ts', ...args], {
        DASHBOARD_PORT: '0',
        CHECKPOINT_INTERVAL_MS: '200',
        ...real,
      })
      started.push(child)
      return child
    }
    const run = (...args: string[]): Promise<ProcessResult> => resultOf(start(...args))

    /** The same sample in both worlds: tables, and messages at the same positions. */
    const fill = async (environment: Record<string, string>): Promise<void> => {
      const sample = reconcileSample({ records: messages }, 'input-topic')
      for (const table of sample.tables) {
        const { code, err } = await tidemark(environment, renamed(JSON.stringify(table)), 'table', 'load', '-')
        expect({ code, err }).toEqual({ code: 0, err: '' })
      }
      for (const topic of ['input-topic', 'reconcile', 'reconcile-dlq']) {
        await tidemark(environment, '', 'topic', 'create', topic, '--partitions', String(partitions))
      }
      const lines = [...(sample.topics['input-topic'] ?? [])].map(({ key, value, timestamp }, at) =>
        JSON.stringify({
          keyBase64: base64(key),
          valueBase64: base64(value),
          timestamp,
          partition: at % partitions,
        }),
      )
      const written = await tidemark(environment, lines.join('\n'), 'topic', 'write', 'input-topic', '--json')
      expect(written).toMatchObject({ code: 0, out: `Wrote ${String(lines.length)} records to input-topic.\n` })
    }

    /** Another suite may have tables of these names. */
    const renamed = (text: string): string =>
      text.replaceAll('"ks1"', `"ks1_${own}"`).replaceAll('"shop"', `"shop_${own}"`)

    const base64 = (bytes: Buffer | string | null): string | null => {
      if (bytes === null) return null
      return Buffer.from(renamed(Buffer.from(bytes).toString('latin1')), 'latin1').toString('base64')
    }

    /** Everything but offsets, epochs, and where a record without a key happens to go. */
    const outputs = async (environment: Record<string, string>): Promise<readonly string[]> => {
      const found: string[] = []
      for (const topic of ['reconcile', 'reconcile-dlq']) {
        const { code, out } = await tidemark(environment, '', 'topic', 'read', topic, '--json')
        expect(code).toBe(0)
        for (const line of out.trimEnd().split('\n')) {
          const { offset, headers, partition, ...record } = JSON.parse(line) as {
            readonly key: string | null
            readonly partition: number
            readonly offset: number
            readonly headers: readonly (readonly [string, unknown])[]
          }
          expect(offset).toBeGreaterThanOrEqual(0)
          const lasting = headers.filter(([name]) => !name.includes('epoch'))
          found.push(
            JSON.stringify({ topic, partition: record.key === null ? 'any' : partition, ...record, headers: lasting }),
          )
        }
      }
      return found.toSorted()
    }

    const committed = async (): Promise<number> => {
      const { out } = await tidemark(real, '', 'topic', 'list')
      return Number(/^reconcile +\d+ +(\d+)/m.exec(out)?.[1] ?? 0)
    }

    beforeAll(async () => {
      directory = mkdtempSync(path.join(tmpdir(), 'tidemark-real-'))
      // The sample's records are old: the brokers' retention goes by the records' own time.
      kafka = await startKafka({ properties: { 'log.retention.ms': '-1' } })
      const { contactPoints, datacenter } = servers.cassandra()
      real = {
        KAFKA_BOOTSTRAP_SERVERS: kafka.address,
        KAFKA_SESSION_TIMEOUT_MS: '6000',
        CASSANDRA_CONTACT_POINTS: contactPoints,
        CASSANDRA_LOCAL_DATACENTER: datacenter,
      }
      await fill({})
      expect(await tidemark({}, '', 'run', 'jobs/reconcile.ts')).toMatchObject({ code: 0 })
      expected = await outputs({})
      await fill(real)
    }, 300_000)

    afterAll(async () => {
      for (const child of started) child.kill('SIGKILL')
      await kafka.kill9()
      rmSync(directory, { recursive: true })
    })

    it('gives the bytes that the embedded world gives, with a kill -9 in between, and then has nothing new', async () => {
      expect(expected).toHaveLength(messages)
      // Slow enough to be met at its work.
      const killed = start('--reconcile.rate.limit=400')
      await expect.poll(committed, { timeout: 30_000, interval: 50 }).toBeGreaterThan(0)
      killed.kill('SIGKILL')
      await once(killed, 'exit')
      const before = (await outputs(real)).length
      expect(before).toBeGreaterThan(0)
      expect(before).toBeLessThan(messages)

      const first = await run()
      expect(first).toMatchObject({ code: 0, out: expect.stringContaining('(Kafka and Cassandra)') })
      expect(first.out).toContain(`real world, Kafka at ${kafka.address} and Cassandra at`)
      // A commit is acknowledged a moment before it can be read.
      await expect.poll(async () => (await outputs(real)).length, { timeout: 5000 }).toBe(messages)
      expect(await outputs(real)).toEqual(expected)

      expect(await run()).toMatchObject({ code: 0, out: expect.stringContaining('Nothing new') })
      expect(await outputs(real)).toHaveLength(messages)
    }, 120_000)

    it('shares its partitions among workers, survives the kill of one, and stops at SIGTERM with the worst exit code', async () => {
      const parent = start('--follow', '--parallelism', '2')
      const result = resultOf(parent)
      const workers = await workersOf(parent)
      const live = await tidemark(real, '', 'run', 'jobs/reconcile.ts', '--reset-offsets', 'earliest')
      expect(live).toMatchObject({ code: 2, err: expect.stringContaining('group-in-use') })
      // The first worker may still be alone.
      expect(live.err.replaceAll(/\s+/g, ' ')).toMatch(
        /process(es)? works? from them: reconcile on 127\.0\.0\.1.*Stop (it|them) first.*kafka\.session\.timeout\.ms/,
      )

      process.kill(workers[0] ?? 0, 'SIGKILL')
      await tidemark(real, 'no json\n'.repeat(8), 'topic', 'write', 'input-topic')
      await expect.poll(async () => (await outputs(real)).length, { timeout: 60_000 }).toBe(messages + 8)
      parent.kill('SIGTERM')
      expect(await result).toMatchObject({ code: 1, err: expect.stringContaining('A worker has failed') })
    }, 120_000)

    it('is looked into by the same commands as the embedded world', async () => {
      const tables = await tidemark(real, '', 'table', 'list')
      expect(tables.out).toMatch(new RegExp(`^ks1_${own}\\.users +\\(user_id, region\\) `, 'm'))
      const [inKafka, embedded] = await Promise.all(
        [real, {}].map((world) => tidemark(world, '', 'table', 'read', `shop_${own}.devices`)),
      )
      expect(inKafka?.out.split('\n').toSorted()).toEqual(embedded?.out.split('\n').toSorted())

      const [ofReal, ofEmbedded] = await Promise.all(
        [real, {}].map((world) => tidemark(world, '', 'explain', 'input-topic', '1@7')),
      )
      expect({ out: ofReal?.out, err: ofReal?.err }).toEqual({ out: ofEmbedded?.out, err: ofEmbedded?.err })

      const before = (await tidemark(real, '', 'topic', 'list')).out
      const preview = await tidemark(real, '', 'preview', 'jobs/reconcile.ts', '--records', '8')
      expect(preview).toMatchObject({ code: 0, out: expect.stringContaining('8 records:') })
      expect((await tidemark(real, '', 'topic', 'list')).out).toBe(before)

      const doctor = await tidemark(real, '', 'doctor', 'jobs/reconcile.ts')
      expect(doctor).toMatchObject({ code: 0, err: '' })
      expect(doctor.out).toMatch(/^ok {4}Kafka 4\.0 or later/m)
      expect(doctor.out).toMatch(/^warn {2}Topic reconcile: 4 partitions, 1 replica/m)
      expect(doctor.out).toMatch(/^ok {4}Cassandra 5\./m)
      const sick = await tidemark(real, '', 'doctor', 'jobs/reconcile.ts', '--reconcile.dlq.topic=nowhere')
      expect(sick).toMatchObject({ code: 1, out: expect.stringContaining('fail  Topic nowhere does not exist') })

      const query = await tidemark(real, '', 'query', `SELECT name, user_id FROM ks1_${own}.users LIMIT 1`)
      expect(query).toMatchObject({ code: 0, out: expect.stringMatching(/^\{"name":".*","user_id":".*"\}\n$/) })
      expect(await tidemark(real, '', 'query', 'SELEC')).toMatchObject({ code: 2 })
    }, 60_000)

    it('keeps a table that is there, and refuses a definition that differs from it', async () => {
      const [table] = reconcileSample({ records: messages }, 'input-topic').tables
      const other = renamed(JSON.stringify(table))
        .replace('"text"', '"int"')
        .replace(/"rows":\[.*\]/, '"rows":[]')
      expect(await tidemark(real, other, 'table', 'load', '-')).toMatchObject({
        code: 2,
        err: expect.stringContaining('exists with other columns'),
      })
    })

    /** The workers' process ids, once both have joined. */
    async function workersOf(parent: Child): Promise<readonly number[]> {
      const joined = new Set<string>()
      parent.stderr.on('data', (text: Buffer) => {
        for (const [, worker = ''] of text.toString().matchAll(/"worker":(\d).*Joined the consumer group/g))
          joined.add(worker)
      })
      await expect.poll(() => joined.size, { timeout: 30_000 }).toBe(2)
      return execFileSync('ps', ['-o', 'pid=', '--ppid', String(parent.pid)])
        .toString()
        .trim()
        .split(/\s+/)
        .map(Number)
    }
  },
)
