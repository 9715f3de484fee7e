// Holds a data directory until it is told to stop or killed: `holdDirectory.ts <data directory> <job | command>`.
import { holdForJob } from '../../../../src/connectors/embedded/shared/heldDirectory.ts'
import { withStore } from '../../../../src/connectors/embedded/shared/withStore.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'

const [directory = '', kind] = process.argv.slice(2)
const stopped = new Promise<void>((resolve) => {
  process.once('message', () => {
    resolve()
  })
})
if (kind === 'job') {
  const held = await holdForJob(directory, 'reconcile', { clock: systemClock })
  await held.serve()
  process.send?.('held')
  await stopped
  await held.close()
} else {
  await withStore(directory, { clock: systemClock }, async () => {
    process.send?.('held')
    await stopped
  })
}
process.disconnect()
