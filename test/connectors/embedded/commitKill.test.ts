import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { holdForJob } from '../../../src/connectors/embedded/shared/heldDirectory.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { decodeCommitMetadata } from '../../../src/core/commitMetadata.ts'
import { jobLogSpec, joinTask } from './embeddedJob.ts'
import { temporaryDirectory } from './temporaryDirectory.ts'
import { offsetOf } from '../../../src/core/offsetPosition.ts'

const commitLoop = fileURLToPath(new URL('./processes/commitLoop.ts', import.meta.url))

/** What a commit loop has said before it was killed. */
interface Said {
  committing: number
  committed: number
}

async function runAndKill(directory: string, afterCommits: number): Promise<Said> {
  const said: Said = { committing: 0, committed: 0 }
  const child = fork(commitLoop, [directory])
  let first: number | undefined
  child.on('message', (message) => {
    Object.assign(said, message)
    first ??= said.committing
    // In the middle of a commit.
    if (said.committing >= first + afterCommits && said.committing > said.committed) child.kill('SIGKILL')
  })
  // What it has said is all here only when the channel is closed as well.
  await Promise.all([once(child, 'exit'), once(child, 'disconnect')])
  return said
}

test('outputs, dead letters, changelog and positions agree after each kill -9 in the middle of commits', async () => {
  const directory = await temporaryDirectory()
  let interrupted = 0
  for (let round = 0; round < 6; round += 1) {
    const said = await runAndKill(directory.path, 3 + round * 2)
    const held = await holdForJob(directory.path, 'check', { clock: systemClock, partitions: 1 })
    const { store } = held
    const task = await joinTask(store, jobLogSpec(['in']))
    await task.commitLog.fence()
    const committed = (await task.commitLog.committed()).get('in')
    const epoch = committed === undefined ? 0 : offsetOf(committed.position)
    expect(epoch).toBeGreaterThanOrEqual(said.committed)
    expect(epoch).toBeLessThanOrEqual(said.committing)
    if (epoch < said.committing || said.committing > said.committed) interrupted += 1
    expect(decodeCommitMetadata(committed?.metadata ?? '')).toMatchObject({ epoch, changelogEnd: epoch })
    for (const topic of ['out', 'dead']) {
      const { records } = await store.readPage({ topic, partition: 0, from: 0, limit: 1_000_000 })
      const expected = Array.from(
        { length: epoch * 20 },
        (_, n) => `${String(Math.floor(n / 20) + 1)} ${String(n % 20)}`,
      )
      const found = records.map(({ raw }) => raw?.toString().split(' ').slice(0, 2).join(' '))
      expect(found).toEqual(expected.slice(0, found.length))
      expect((await store.describeTopic(topic)).endOffsets).toEqual([epoch * 20])
    }
    expect((await task.changelog.range()).end).toBe(epoch)
    const state = new Map<string, string>()
    for await (const entries of task.changelog.read(0, epoch)) {
      for (const { key, value } of entries) state.set(key.toString(), value?.toString() ?? '')
    }
    for (const [key, value] of state)
      expect([Number(key), Number(value) > epoch - 10]).toEqual([Number(value) % 10, true])
    expect(state.size).toBe(Math.min(epoch, 10))
    await held.close()
  }
  // Most of them: a commit may get through between the decision to kill and the kill.
  expect(interrupted).toBeGreaterThan(0)
  await directory.remove()
}, 60_000)
