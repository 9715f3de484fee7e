import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { jobEnvironment } from '../../../../src/composition.ts'
import { KafkaJobLogs } from '../../../../src/connectors/kafka/log/kafkaJobLogs.ts'
import { openKafkaJobLog } from '../../../../src/connectors/kafka/log/kafkaJobLog.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import type { JobLogSpec } from '../../../../src/core/ports/jobLog.ts'
import { systemRandom } from '../../../../src/core/ports/random.ts'
import type { TaskChangelog } from '../../../../src/core/ports/changelog.ts'
import { silentLogger } from '../../../../src/core/ports/logger.ts'
import { lineageEntry } from '../../../../src/state/changelogRecords.ts'
import { commitMetadata } from '../../../conformance/taskLogSteps.ts'
import { override } from '../../../support/faultyLog.ts'
import { describeWithServers } from '../../../support/realServers.ts'
import { TestLog } from '../kafkaJob.ts'
import { KafkaWorld, TestOwner, testConfig, uniqueName } from '../kafkaWorld.ts'

describeWithServers('a changelog that keeps deletions for a short time', ['kafka'], (servers) => {
  let world: KafkaWorld
  let spec: JobLogSpec
  let changelog: string

  beforeEach(async () => {
    world = new KafkaWorld(servers.kafka())
    const job = uniqueName('job')
    const input = await world.createTopic(uniqueName('input'), 1)
    spec = {
      job,
      group: 'source',
      groupId: `${job}-group`,
      inputs: [{ kind: 'topics', topics: [input] }],
      outputs: [],
      transactionalIdPrefix: job,
      copartitioned: true,
    }
    changelog = `${job}-source-changelog`
    await world.createTopic(changelog, 1, { 'cleanup.policy': 'compact', 'delete.retention.ms': '60000' })
  })
  afterEach(() => world.close())

  it('is warned of, until it keeps them longer', async () => {
    const warnings = async (): Promise<readonly string[]> => {
      const log = new TestLog()
      await (await openKafkaJobLog(testConfig(servers.kafka()), spec, { clock: systemClock, log })).leave()
      return log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
    }
    expect(await warnings()).toEqual([
      expect.stringMatching(
        `^Changelog ${changelog} keeps deletions for 60000 ms: .* Set delete\\.retention\\.ms=86400000$`,
      ),
    ])
    await world.alterTopic(changelog, { 'cleanup.policy': 'compact', 'delete.retention.ms': '86400000' })
    expect(await warnings()).toEqual([])
  })

  it.each([
    ['younger than half of that is brought forward', 20_000, [5]],
    ['older than half of that is restored in full', 40_000, [0]],
  ])('so local state that is %s', async (_, ageMs, reads) => {
    const dataDirectory = mkdtempSync(join(tmpdir(), 'tidemark-changelog-'))
    let shiftMs = 0
    const machine = {
      clock: { ...systemClock, now: () => systemClock.now() + shiftMs },
      random: systemRandom,
      log: silentLogger,
      dataDirectory,
    }
    const environment = jobEnvironment(
      new KafkaJobLogs({ ...machine, config: testConfig(servers.kafka()) }),
      () => {
        throw new Error('no client is asked for')
      },
      { ...machine, stateBackend: 'file:', slot: null, controlAddress: null },
    )
    const owner = new TestOwner(testConfig(servers.kafka()))
    try {
      const jobLog = await environment.openLog(spec)
      const state = await environment.openState({ job: spec.job, group: 'source', partition: 0 })
      const committed = commitMetadata({ epoch: 1, changelogEnd: 5 })
      await state.restore(await changelogOf(owner, []), committed)
      shiftMs = ageMs
      const found: number[] = []
      await state.restore(await changelogOf(owner, found), { ...committed, epoch: 2, nonce: 'next', changelogEnd: 10 })
      expect(found).toEqual(reads)
      await state.close()
      await jobLog.leave()
    } finally {
      await owner.close()
      await environment.close()
      rmSync(dataDirectory, { recursive: true })
    }
  })

  /** A changelog of ten entries, all but its lineage record superseded; tells where it is read from. */
  const changelogOf = async (owner: TestOwner, reads: number[]): Promise<TaskChangelog> =>
    override((await owner.taskLog({ job: spec.job, topics: [], partition: 0 })).changelog, {
      range: () => Promise.resolve({ start: 0, end: 10 }),
      async *read(from: number) {
        reads.push(from)
        await Promise.resolve()
        yield [lineageEntry({ lineage: 'lineage', generation: 0 })]
      },
    })
})
