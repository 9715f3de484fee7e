// Commits epochs as fast as it can, until it is killed: `commitLoop.ts <data directory>`.
import { holdForJob } from '../../../../src/connectors/embedded/shared/heldDirectory.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import { commitMetadata } from '../../../support/commitMetadata.ts'
import { jobLogSpec, joinTask } from '../embeddedJob.ts'
import { offsetOf } from '../../../../src/core/offsetPosition.ts'
import { at } from '../../../support/positions.ts'

const directory = process.argv[2] ?? ''
const held = await holdForJob(directory, 'loop', { clock: systemClock, partitions: 1 })
await held.serve()
const { store } = held
if (store.isEmpty()) await store.createTopic('in')
const task = await joinTask(store, jobLogSpec(['in']))
await task.commitLog.fence()
const committed = (await task.commitLog.committed()).get('in')
let epoch = committed === undefined ? 0 : offsetOf(committed.position)
// What the last process left is clean now, and goes on from there.
await task.changelog.compact(() => true)
for (;;) {
  epoch += 1
  const transaction = task.commitLog.begin()
  for (const topic of ['out', 'dead']) {
    for (let n = 0; n < 20; n += 1) {
      const value = Buffer.from(`${String(epoch)} ${String(n)} ${'x'.repeat(1_000)}`)
      transaction.send({ topic, partition: 0, key: null, value, headers: [], timestamp: epoch }, 'exactly-once')
    }
  }
  const key = Buffer.from(String(epoch % 10))
  const changelogEnd = await transaction.prepare([{ key, value: Buffer.from(String(epoch)) }])
  process.send?.({ committing: epoch })
  await transaction.commit(at({ in: epoch }), commitMetadata({ epoch, changelogEnd }))
  process.send?.({ committed: epoch })
}
